// The viewer of one result: a mesh, its texture, the photo's camera. Plain WebGL 2, no library.
// Camera axes are OpenCV's (x right, y down, z forward), as in camera.json; world Y is up. Matrices are row-major here.
"use strict";
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const canvas = find("canvas"), stage = find("stage"), layer = find("photo-layer");
const state = window.monoform = { ready: false, frames: 0, azimuth: 0, elevation: 0.3, zoom: 1, photoZoom: 1, turning: false,
                                  view: "orbit", mode: data.texture || data.mesh.colors ? "textured" : "shaded", error: null };
const FIELD_OF_VIEW = Math.PI / 6, TURN_SPEED = 0.6;  // radians, radians per second
let dirty = true;

const VERTEX = `#version 300 es
in vec3 position, normal, color; in vec2 uv;
uniform mat4 camera_from_world, clip_from_camera; uniform vec3 low, extent; uniform vec4 uv_box; uniform float lift;
out vec3 world_normal, camera_normal, vertex_color; out vec2 texture_uv;
void main() {
  world_normal = normal; camera_normal = mat3(camera_from_world) * normal;
  vertex_color = color; texture_uv = uv_box.xy + uv_box.zw * uv;
  gl_Position = clip_from_camera * camera_from_world * vec4(low + extent * position, 1.0);
  gl_Position.z -= lift * gl_Position.w;  // lines lie just in front of their faces
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 world_normal, camera_normal, vertex_color; in vec2 texture_uv;
uniform sampler2D image; uniform int mode; out vec4 pixel;
void main() {
  float side = gl_FrontFacing ? 1.0 : -1.0;
  vec3 n = normalize(camera_normal) * side;
  float key = max(dot(n, normalize(vec3(-0.5, -0.8, -0.7))), 0.0), fill = max(dot(n, vec3(0.6, 0.1, -0.79)), 0.0);
  vec3 clay = vec3(0.80, 0.78, 0.75) * (0.36 + 0.56 * key + 0.2 * fill);
  vec3 rgb = clay;
  if (mode == 0) rgb = texture(image, texture_uv).rgb;
  if (mode == 1) rgb = vertex_color;
  if (mode == 3) rgb = 0.5 + 0.5 * normalize(world_normal) * side;
  if (mode == 4) rgb = vec3(0.08, 0.34, 0.38);
  pixel = vec4(rgb, 1.0);
}`;

function bytesOf(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function compile(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  gl.useProgram(program);
  return program;
}

// The packed mesh: whole arrays one after the other, integers that the GPU maps to 0..1 (or -1..1).
function upload(gl, program) {
  const mesh = data.mesh, bytes = bytesOf(mesh.data);
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, bytes, gl.STATIC_DRAW);
  const types = { positions: ["position", 3, gl.UNSIGNED_SHORT, 8], normals: ["normal", 3, gl.BYTE, 4],
                  uv: ["uv", 2, gl.UNSIGNED_SHORT, 4], colors: ["color", 3, gl.UNSIGNED_BYTE, 4] };
  for (const [part, [name, size, type, stride]] of Object.entries(types)) {
    const place = gl.getAttribLocation(program, name);
    if (mesh[part] == null || place < 0) continue;
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, size, type, true, stride, mesh[part]);
  }
  const faces = new (mesh.wide ? Uint32Array : Uint16Array)(bytes.buffer, mesh.faces, mesh.face_count * 3);
  const indices = (values) => {
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, values, gl.STATIC_DRAW);
    return { buffer, count: values.length, type: mesh.wide ? gl.UNSIGNED_INT : gl.UNSIGNED_SHORT };
  };
  const edges = () => {  // each triangle's three edges; made when the wireframe is first asked for
    const lines = new faces.constructor(faces.length * 2);
    for (let i = 0, k = 0; i < faces.length; i += 3)
      for (let j = 0; j < 3; j++) { lines[k++] = faces[i + j]; lines[k++] = faces[i + (j + 1) % 3]; }
    return indices(lines);
  };
  return { triangles: indices(faces), edges };
}

async function uploadTexture(gl) {
  if (!data.texture) return;
  const image = new Image();
  image.src = data.texture;
  await image.decode();
  gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, true);  // uv (0, 0) is the bottom left
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, image);
  gl.generateMipmap(gl.TEXTURE_2D);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAX_LOD, 3);  // coarser levels would mix neighbouring charts
  const [u, v, width, height] = data.mesh.uv_box, repeats = u < -1e-3 || v < -1e-3 || u + width > 1.001 || v + height > 1.001;
  for (const axis of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, axis, repeats ? gl.REPEAT : gl.CLAMP_TO_EDGE);
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const mesh = data.mesh, center = mesh.low.map((x, i) => x + mesh.extent[i] / 2);
const radius = Math.max(Math.hypot(...mesh.extent) / 2, 1e-6);

// Rigid inverse of camera.json's world_from_camera.
function invertRigid(m) {
  const t = [m[0][3], m[1][3], m[2][3]], column = (j) => [m[0][j], m[1][j], m[2][j]];
  return [0, 1, 2].map((j) => [...column(j), -dot(column(j), t)]).concat([[0, 0, 0, 1]]);
}

function orbitView() {
  const ca = Math.cos(state.azimuth), sa = Math.sin(state.azimuth), ce = Math.cos(state.elevation), se = Math.sin(state.elevation);
  const w = canvas.width, h = canvas.height, focal = Math.min(w, h) / 2 / Math.tan(FIELD_OF_VIEW / 2);
  const distance = 1.05 * radius / Math.sin(FIELD_OF_VIEW / 2) / state.zoom;
  const forward = [-sa * ce, -se, -ca * ce], right = [ca, 0, -sa];
  const down = [-sa * se, ce, -ca * se].map((x) => -x);
  const eye = center.map((x, i) => x - distance * forward[i]);
  const rows = [right, down, forward].map((axis) => [...axis, -dot(axis, eye)]);
  return { cameraFromWorld: [...rows, [0, 0, 0, 1]], k: [[focal, 0, w / 2], [0, focal, h / 2]], orthographic: false,
           scale: 1, left: 0, top: 0 };
}

// The photo's camera: the whole photo, and nearer the part of it around the object. canvas pixel = scale * photo pixel + (left, top).
function photoView() {
  const { world_from_camera, intrinsics, model, width, height, box } = data.camera;
  const whole = Math.min(canvas.width / width, canvas.height / height), scale = whole * state.photoZoom;
  const closeUp = Math.min(canvas.width / box[2], canvas.height / box[3]) / whole;  // where the object fills the canvas
  const share = Math.min(1, (state.photoZoom - 1) / Math.max(closeUp - 1, 1e-6));
  const x = width / 2 + share * (box[0] + box[2] / 2 - width / 2), y = height / 2 + share * (box[1] + box[3] / 2 - height / 2);
  return { cameraFromWorld: invertRigid(world_from_camera), k: intrinsics, orthographic: model === "orthographic", scale,
           left: canvas.width / 2 - scale * x, top: canvas.height / 2 - scale * y };
}

// Intrinsics in pixels, then pixels to OpenGL's clip cube; depth along z is spread over the mesh's bounding sphere.
function clipFromCamera(view) {
  const m = view.cameraFromWorld, depth = dot(m[2], center) + m[2][3];
  const reach = 1.1 * radius, near = view.orthographic ? depth - reach : Math.max(depth - reach, 0.02 * reach), far = Math.max(depth + reach, near * 2);
  const a = 2 * view.scale / canvas.width, b = 2 * view.scale / canvas.height, k = view.k;
  const x = 2 * view.left / canvas.width - 1, y = 1 - 2 * view.top / canvas.height;
  if (view.orthographic) return [
    [a * k[0][0], a * k[0][1], 0, a * k[0][2] + x], [-b * k[1][0], -b * k[1][1], 0, y - b * k[1][2]],
    [0, 0, 2 / (far - near), -(far + near) / (far - near)], [0, 0, 0, 1]];
  return [
    [a * k[0][0], a * k[0][1], a * k[0][2] + x, 0], [-b * k[1][0], -b * k[1][1], y - b * k[1][2], 0],
    [0, 0, (far + near) / (far - near), -2 * far * near / (far - near)], [0, 0, 1, 0]];
}

function placePhoto(view) {
  const shown = state.view === "photo";
  find("slider").hidden = !(shown && layer);
  if (!layer) return;
  layer.hidden = !shown;
  if (!shown) return;
  const perCss = canvas.clientWidth / canvas.width;
  layer.style.width = `${data.camera.width * view.scale * perCss}px`;
  layer.style.height = `${data.camera.height * view.scale * perCss}px`;
  layer.style.transform = `translate(${view.left * perCss}px, ${view.top * perCss}px)`;
  layer.style.opacity = find("opacity").value / 100;
}

function setUp(gl) {
  const program = compile(gl), buffers = upload(gl, program), place = (name) => gl.getUniformLocation(program, name);
  let lines = null;
  gl.enable(gl.DEPTH_TEST);
  gl.uniform3fv(place("low"), mesh.low);
  gl.uniform3fv(place("extent"), mesh.extent);
  gl.uniform4fv(place("uv_box"), mesh.uv_box || [0, 0, 1, 1]);
  const draw = (part, kind, mode) => {
    gl.uniform1i(place("mode"), mode);
    gl.uniform1f(place("lift"), kind === gl.LINES ? 0.004 : 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, part.buffer);
    gl.drawElements(kind, part.count, part.type, 0);
  };
  return () => {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    const view = state.view === "photo" ? photoView() : orbitView();
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniformMatrix4fv(place("camera_from_world"), true, view.cameraFromWorld.flat());
    gl.uniformMatrix4fv(place("clip_from_camera"), true, clipFromCamera(view).flat());
    const modes = { textured: data.texture ? 0 : 1, shaded: 2, normals: 3, wireframe: 2 };
    draw(buffers.triangles, gl.TRIANGLES, modes[state.mode]);
    if (state.mode === "wireframe") draw(lines = lines || buffers.edges(), gl.LINES, 4);
    placePhoto(view);
    state.frames++;
  };
}

function reset() {
  const m = data.camera && data.camera.world_from_camera;  // start in front of what the photo shows, a little above
  state.azimuth = m ? Math.atan2(-m[0][2], -m[2][2]) : 0;
  Object.assign(state, { elevation: 0.3, zoom: 1, view: "orbit", turning: !matchMedia("(prefers-reduced-motion: reduce)").matches });
  refresh();
}

function enterOrbit() {
  if (state.view === "photo") {
    const m = data.camera.world_from_camera;
    state.azimuth = Math.atan2(-m[0][2], -m[2][2]);
    state.elevation = Math.max(-1.5, Math.min(1.5, Math.asin(Math.max(-1, Math.min(1, -m[1][2])))));
  }
  Object.assign(state, { view: "orbit", turning: false });
  refresh();
}

function turnBy(right, up) {
  enterOrbit();
  state.azimuth -= right;
  state.elevation = Math.max(-1.5, Math.min(1.5, state.elevation + up));
}

function zoomBy(factor) {
  if (state.view === "photo") state.photoZoom = Math.max(1, Math.min(40, state.photoZoom * factor));
  else state.zoom = Math.max(0.3, Math.min(8, state.zoom * factor));
  dirty = true;
}

function refresh() {
  for (const button of document.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", button.dataset.mode === state.mode);
  find("from-photo").setAttribute("aria-pressed", state.view === "photo");
  find("turn").setAttribute("aria-pressed", state.turning);
  dirty = true;
}

function listen() {
  const fingers = new Map();
  canvas.addEventListener("pointerdown", (e) => { canvas.setPointerCapture(e.pointerId); fingers.set(e.pointerId, e); });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (e) => fingers.delete(e.pointerId));
  canvas.addEventListener("pointermove", (e) => {
    const last = fingers.get(e.pointerId);
    if (!last) return;
    const moved = [e.clientX - last.clientX, e.clientY - last.clientY];
    if (fingers.size === 1 && (moved[0] || moved[1])) turnBy(moved[0] * 0.008, moved[1] * 0.008);
    if (fingers.size === 2) {
      const [other] = [...fingers.values()].filter((f) => f.pointerId !== e.pointerId);
      const apart = (f) => Math.hypot(f.clientX - other.clientX, f.clientY - other.clientY);
      zoomBy(apart(e) / Math.max(apart(last), 1));
    }
    fingers.set(e.pointerId, e);
  });
  canvas.addEventListener("wheel", (e) => { e.preventDefault(); zoomBy(Math.exp(-Math.max(-200, Math.min(200, e.deltaY)) * 0.0012)); }, { passive: false });
  canvas.addEventListener("dblclick", reset);
  canvas.addEventListener("keydown", (e) => {
    const keys = { ArrowLeft: () => turnBy(-0.1, 0), ArrowRight: () => turnBy(0.1, 0), ArrowUp: () => turnBy(0, -0.1), ArrowDown: () => turnBy(0, 0.1),
                   "+": () => zoomBy(1.15), "=": () => zoomBy(1.15), "-": () => zoomBy(1 / 1.15) };
    if (keys[e.key] && !e.ctrlKey && !e.metaKey) { e.preventDefault(); keys[e.key](); }
  });
  for (const button of document.querySelectorAll("[data-mode]")) button.onclick = () => { state.mode = button.dataset.mode; refresh(); };
  document.querySelector('[data-mode="textured"]').disabled = !(data.texture || mesh.colors != null);
  find("from-photo").disabled = !data.camera;
  find("from-photo").onclick = () => { if (state.view === "photo") enterOrbit(); else { Object.assign(state, { view: "photo", photoZoom: 1, turning: false }); refresh(); } };
  find("turn").onclick = () => { const turning = !state.turning; enterOrbit(); state.turning = turning; refresh(); };
  find("reset").onclick = reset;
  find("opacity").oninput = () => { dirty = true; };
  new ResizeObserver(() => { dirty = true; }).observe(stage);
}

function fallBack(reason) {
  const video = find("turntable");
  state.error = String(reason);
  canvas.hidden = find("controls").hidden = find("help").hidden = true;
  if (layer) layer.hidden = true;
  if (video) { stage.append(video); video.autoplay = true; video.play().catch(() => {}); }
  find("fallback").hidden = false;
  find("fallback").textContent = "This browser cannot draw the mesh (WebGL 2 is missing or switched off)" +
    (video ? "; the turntable video is shown in its place." : ", and this result has no turntable video.");
}

async function start() {
  const gl = canvas.getContext("webgl2", { alpha: true, antialias: true });
  if (!gl) return fallBack("no WebGL 2");
  canvas.addEventListener("webglcontextlost", () => fallBack("the graphics context was lost"));
  state.draw = setUp(gl);
  await uploadTexture(gl);
  listen();
  reset();
  let before = performance.now();
  const frame = (now) => {
    if (state.turning) { state.azimuth += TURN_SPEED * Math.min(now - before, 100) / 1000; dirty = true; }
    before = now;
    if (dirty && !state.error) { dirty = false; state.draw(); state.ready = true; }
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

start().catch((error) => { fallBack(error); });
})();
