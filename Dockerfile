# The HTTP service from a wheel: python -m build --wheel && docker build -t monoform .
# --build-arg TORCH_INDEX=ADDRESS takes PyTorch from an index of its builds without CUDA: an image smaller by gigabytes.
FROM python:3.12-slim

RUN useradd --create-home --uid 10001 monoform
WORKDIR /home/monoform

# PyTorch first: it is the large layer, and changes seldom.
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch>=2.6"
COPY dist/monoform-*.whl /tmp/
RUN set -e; wheel="$(ls /tmp/monoform-*.whl)"; pip install --no-cache-dir "${wheel}[serve]"; rm /tmp/monoform-*.whl

USER monoform
ENV MONOFORM_OFFLINE=1
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["monoform", "serve", "--host", "0.0.0.0", "--port", "8000"]
