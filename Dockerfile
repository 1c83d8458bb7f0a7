# The app with PyTorch for processors, without CUDA: docs/hosting.md says how to build and run it.

FROM python:3.12-slim AS packages
WORKDIR /app
COPY constraints.txt pyproject.toml requirements.txt ./
# uv takes torch from PyTorch's own index, as pyproject.toml says. This layer stays until one of these files changes.
RUN pip install --no-cache-dir --constraint constraints.txt uv \
 && python -m venv --without-pip /venv \
 && grep -v '^-' requirements.txt > packages.txt \
 && uv pip install --python /venv --no-cache --compile-bytecode --constraint constraints.txt \
    --requirements packages.txt --requirements pyproject.toml
COPY . .
RUN uv pip install --python /venv --no-cache --no-deps --no-build-isolation --editable . \
 && python -m compileall -q app.py pages cnn_explorer

FROM python:3.12-slim
RUN install --directory --owner=10001 /data
COPY --from=packages /venv /venv
COPY --from=packages /app /app
# MNIST and the weights of classic networks are downloaded into /data when someone asks for them. Nothing else is written.
ENV PATH=/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    CNN_EXPLORER_DATA=/data TORCH_HOME=/data/torch
WORKDIR /app
USER 10001
VOLUME /data
EXPOSE 8501
HEALTHCHECK --start-period=60s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8501/ready', timeout=4)"]
CMD ["streamlit", "run", "app.py", "--server.address", "0.0.0.0", "--server.port", "8501", "--server.headless", "true"]
