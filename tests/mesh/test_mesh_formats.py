"""PLY with colors, STL, 3MF and USDZ: read back by other readers than our writers."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from pathlib import Path

import lib3mf
import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from tests.mesh.mesh_shapes import box, icosphere

from monoform import InputError
from monoform.mesh import Mesh, closest_points, load, sample_surface, unwrap, write_splats
from monoform.mesh.texture import surface_colors, vertex_colors


def textured() -> Mesh:
    """A sphere whose texture is red on the left half and blue on the right one."""
    mesh = unwrap(icosphere(subdivisions=2), resolution=64, time_limit=0)
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:, :32], texture[:, 32:] = (200, 10, 20), (10, 30, 220)
    return Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, texture=texture)


def colored() -> Mesh:
    mesh = icosphere(subdivisions=1)
    colors = np.random.default_rng(0).integers(0, 255, (len(mesh.vertices), 3), dtype=np.uint8)
    return Mesh(mesh.vertices, mesh.faces, vertex_colors=colors)


def test_the_colors_of_vertices_are_the_textures_there():
    mesh = textured()
    colors, u = vertex_colors(mesh), mesh.uv[:, 0] % 1
    left, right = (u > 0.05) & (u < 0.45), (u > 0.55) & (u < 0.95)
    assert left.any() and right.any()
    np.testing.assert_array_equal(colors[left], np.tile((200, 10, 20), (left.sum(), 1)))
    np.testing.assert_array_equal(colors[right], np.tile((10, 30, 220), (right.sum(), 1)))
    assert vertex_colors(box()) is None


@pytest.mark.parametrize("make", [textured, colored])
def test_ply_has_a_color_for_each_vertex(tmp_path: Path, make):
    mesh = make()
    path = mesh.export(tmp_path / "a.ply")
    other = trimesh.load(path, process=False)
    np.testing.assert_allclose(other.vertices, mesh.vertices, atol=1e-7)
    np.testing.assert_array_equal(other.faces, mesh.faces)
    np.testing.assert_array_equal(other.visual.vertex_colors[:, :3], vertex_colors(mesh))
    np.testing.assert_array_equal(load(path).vertex_colors, vertex_colors(mesh))


def test_stl_is_read_by_others(tmp_path: Path):
    path = textured().export(tmp_path / "a.stl")
    other = trimesh.load(path)
    assert other.is_watertight and len(other.faces) == len(icosphere(subdivisions=2).faces)
    assert other.volume == pytest.approx(trimesh.creation.icosphere(subdivisions=2, radius=0.5).volume, rel=1e-5)


def read_3mf(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, faces and the color of each corner (0 without), by the reference implementation of the format."""
    model = lib3mf.get_wrapper().CreateModel()
    reader = model.QueryReader("3mf")
    reader.SetStrictModeActive(True)
    reader.ReadFromFile(str(path))
    assert reader.GetWarningCount() == 0 and model.GetUnit() == lib3mf.ModelUnit.MilliMeter
    objects = model.GetMeshObjects()
    assert objects.MoveNext()
    mesh = objects.GetCurrentMeshObject()
    vertices = np.array([list(each.Coordinates) for each in mesh.GetVertices()])
    faces = np.array([list(each.Indices) for each in mesh.GetTriangleIndices()])
    assert mesh.IsManifoldAndOriented()
    colors = np.zeros((len(faces), 3, 3))
    for number in range(len(faces)):
        properties = mesh.GetTriangleProperties(number)
        if properties.ResourceID:
            group = model.GetColorGroupByID(properties.ResourceID)
            for corner, name in enumerate(properties.PropertyIDs):
                color = group.GetColor(name)
                colors[number, corner] = color.Red, color.Green, color.Blue
    return vertices, faces, colors


@pytest.mark.parametrize("make", [textured, colored])
def test_3mf_is_a_closed_solid_with_the_colors_of_its_corners(tmp_path: Path, make):
    mesh = make()
    vertices, faces, colors = read_3mf(mesh.export(tmp_path / "a.3mf"))
    np.testing.assert_allclose(vertices[faces], mesh.triangles, atol=1e-6)
    np.testing.assert_array_equal(colors, vertex_colors(mesh)[mesh.faces])
    assert len(vertices) == len(mesh.merged().vertices)


def test_3mf_without_colors(tmp_path: Path):
    path = box().export(tmp_path / "a.3mf")
    vertices, _, colors = read_3mf(path)
    assert len(vertices) == 8 and not colors.any()
    assert path.read_bytes() == box().export(tmp_path / "b.3mf").read_bytes()


def numbers(text: str, name: str, width: int) -> np.ndarray:
    """The values of an attribute in a text layer of USD."""
    found = re.search(rf"\b{re.escape(name)} = \[(.*?)\]", text)
    assert found
    return np.array([float(word) for word in re.findall(r"-?[\d.]+(?:e-?\d+)?", found[1])]).reshape(-1, width)


def test_usdz_is_an_aligned_package_with_its_texture(tmp_path: Path):
    mesh = textured()
    path = mesh.export(tmp_path / "a.usdz")
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        for entry in archive.infolist():
            name, extra = struct.unpack("<2H", data[entry.header_offset + 26 : entry.header_offset + 30])
            assert entry.compress_type == zipfile.ZIP_STORED and (entry.header_offset + 30 + name + extra) % 64 == 0
        text = archive.read(names[0]).decode()
        picture = np.asarray(Image.open(io.BytesIO(archive.read("textures/baked.png"))))
    assert names == ["mesh.usda", "textures/baked.png"] and "@textures/baked.png@" in text
    np.testing.assert_array_equal(picture, mesh.texture)
    np.testing.assert_allclose(numbers(text, "points", 3), mesh.vertices, atol=1e-6)
    np.testing.assert_array_equal(numbers(text, "faceVertexIndices", 3), mesh.faces)
    np.testing.assert_allclose(numbers(text, "primvars:st", 2), mesh.uv, atol=1e-6)


@pytest.mark.parametrize("make", [textured, colored, box])
def test_usdz_is_read_by_usd_itself(tmp_path: Path, make):
    usd = pytest.importorskip("pxr.Usd", reason="usd-core is not installed")
    geometry = pytest.importorskip("pxr.UsdGeom")
    stage = usd.Stage.Open(str(make().export(tmp_path / "a.usdz")))
    mesh = geometry.Mesh(stage.GetPrimAtPath("/object/mesh"))
    np.testing.assert_allclose(np.array(mesh.GetPointsAttr().Get()), make().vertices, atol=1e-6)
    assert geometry.GetStageUpAxis(stage) == "Y" and geometry.GetStageMetersPerUnit(stage) == 1


@pytest.mark.parametrize(("texture_format", "kind"), [("jpg", "JPEG"), ("webp", "WEBP")])
def test_smaller_textures_of_glb_files(tmp_path: Path, texture_format, kind):
    mesh = textured()
    smooth = np.linspace(40, 200, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    mesh = Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, texture=smooth)
    path = mesh.export(tmp_path / "a.glb", texture_format=texture_format)
    assert f"image/{kind.lower()}".encode() in path.read_bytes()
    assert (b"EXT_texture_webp" in path.read_bytes()) == (texture_format == "webp")
    again = load(path)
    assert np.abs(again.texture.astype(int) - smooth).mean() < 6  # lossy, of 255
    np.testing.assert_allclose(again.uv, mesh.uv, atol=1e-6)


def read_splats(path: Path) -> dict[str, np.ndarray]:
    """The columns of a file of Gaussians, by name."""
    head, _, body = path.read_bytes().partition(b"end_header\n")
    names = [line.split()[2] for line in head.decode().splitlines() if line.startswith("property float ")]
    count = int(re.search(r"element vertex (\d+)", head.decode())[1])
    rows = np.frombuffer(body, "<f4").reshape(count, len(names))
    return dict(zip(names, rows.T.astype(np.float64), strict=True))


def test_splats_are_flat_gaussians_on_the_surface(tmp_path: Path):
    mesh, count = colored(), 4000
    found = read_splats(write_splats(mesh, tmp_path / "a.ply", count))
    assert list(found)[:6] == ["x", "y", "z", "nx", "ny", "nz"]
    points, normals = (
        np.stack([found[name] for name in names], axis=1) for names in (("x", "y", "z"), ("nx", "ny", "nz"))
    )
    turns = np.stack([found[f"rot_{number}"] for number in range(4)], axis=1)
    rotations = Rotation.from_quat(turns[:, [1, 2, 3, 0]]).as_matrix()
    np.testing.assert_allclose(rotations[:, :, 2], normals, atol=1e-5)  # the third axis, the thin one, is the normal
    scales = np.exp(np.stack([found[f"scale_{number}"] for number in range(3)], axis=1))
    assert (scales[:, 2] < 0.2 * scales[:, 0]).all() and (scales[:, 0] == scales[:, 1]).all()
    near = closest_points(mesh, points)
    assert near.distance.max() < 1e-6
    colors = 0.5 + 0.28209479177387814 * np.stack([found[f"f_dc_{number}"] for number in range(3)], axis=1)
    np.testing.assert_allclose(colors, surface_colors(mesh, near.face, near.barycentric), atol=1e-3)
    np.testing.assert_allclose(1 / (1 + np.exp(-found["opacity"])), 0.99, atol=1e-5)
    # Together they cover the surface: everywhere some Gaussian is nearer than two of its standard deviations.
    asked, _, _ = sample_surface(mesh, 5000, seed=1)
    assert (cKDTree(points).query(asked)[0] < 2 * scales[0, 0]).mean() > 0.99


def test_a_name_that_no_writer_knows_is_told_them_all(tmp_path: Path):
    with pytest.raises(InputError, match=r"glb, \.obj, \.ply, \.stl, \.3mf, \.usdz"):
        box().export(tmp_path / "a.fbx")
