# The serving image, without training tools. Targets: service (the default) and loadtest (the service's code and Locust).
#   docker build .                             CPU
#   docker build --build-arg EXTRAS=gpu .      CUDA; the host brings the driver
#   docker build --build-arg EXTRAS=ray .      for Ray Serve, as service/ops/kubernetes/ray starts it
# EXTRAS names files of service/locks to install besides base: gpu, ray, traces, or several with spaces between.
# BASE is Debian bookworm, whose Python 3.11 is installed, or an image that brings python3.11 and venv.
ARG BASE=debian:bookworm-20260824-slim

# What Debian has mended since BASE is taken too.
FROM ${BASE} AS python
RUN command -v python3.11 || { export DEBIAN_FRONTEND=noninteractive && apt-get update -qq && \
    apt-get upgrade -qq >/dev/null && apt-get install -qq --no-install-recommends python3.11 >/dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*; }

FROM python AS build
RUN python3.11 -c 'import ensurepip' 2>/dev/null || { apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends python3.11-venv >/dev/null; }
ENV PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    LOCKED="--no-compile --require-hashes --no-deps --only-binary :all:"
COPY service/locks/build.txt /locks/
RUN --mount=type=cache,target=/root/.cache/pip \
    python3.11 -m venv /opt/build && /opt/build/bin/pip install ${LOCKED} -r /locks/build.txt

FROM build AS packages
ARG EXTRAS=""
COPY service/locks /locks
# Without gpu the CUDA and TensorRT providers go, 270 MB that only work beside its packages; auto and cpu do without.
# Bytecode is checked against nothing at run time: files of an image do not change.
RUN --mount=type=cache,target=/root/.cache/pip \
    python3.11 -m venv --without-pip /opt/promise && cd /locks && \
    /opt/build/bin/pip --python /opt/promise/bin/python install ${LOCKED} -r base.txt \
      $(for extra in ${EXTRAS}; do echo "-r ${extra}.txt"; done) && \
    case " ${EXTRAS} " in *" gpu "*) ;; *) \
      rm /opt/promise/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime_providers_cuda.so \
         /opt/promise/lib/python3.11/site-packages/onnxruntime/capi/libonnxruntime_providers_tensorrt.so ;; esac && \
    /opt/build/bin/pip --python /opt/promise/bin/python check && \
    python3.11 -m compileall -q --invalidation-mode unchecked-hash /opt/promise/lib

FROM packages AS code
COPY pyproject.toml README.md /src/
COPY service /src/service
COPY models /src/models
RUN /opt/build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels /src && \
    /opt/build/bin/pip --python /opt/promise/bin/python install --no-index --no-deps --no-compile --prefix /opt/code /wheels/* && \
    python3.11 -m compileall -q --invalidation-mode unchecked-hash -s /opt/code -p /opt/promise /opt/code/lib

FROM packages AS locust
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/build/bin/pip --python /opt/promise/bin/python install ${LOCKED} --ignore-installed \
      --prefix /opt/locust -r /locks/loadtest.txt && \
    python3.11 -m compileall -q --invalidation-mode unchecked-hash -s /opt/locust -p /opt/promise /opt/locust/lib

FROM python AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Promise" \
      org.opencontainers.image.description="An online generative recommender with a process reward model" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# No setuid file is left: nobody in here becomes somebody else.
RUN groupadd --gid 10001 promise && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin promise && \
    find / -xdev -type f -perm /6000 -exec chmod a-s {} +
COPY --from=packages /opt/promise /opt/promise
COPY models/bundles /srv/bundles
COPY --from=code /opt/code /opt/promise
WORKDIR /srv
ENV PATH=/opt/promise/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    ORT_DISABLE_TELEMETRY=1 \
    PROMISE_HOST=0.0.0.0 \
    PROMISE_PORT=8000 \
    PROMISE_BUNDLE=/srv/bundles/beauty
USER 10001:10001
STOPSIGNAL SIGTERM

FROM runtime AS loadtest
COPY --from=locust /opt/locust /opt/promise
COPY loadtest /srv/loadtest
EXPOSE 8089
CMD ["locust", "-f", "/srv/loadtest/locustfile.py", "--bundle", "/srv/bundles/beauty", "--host", "http://promise:8000"]

FROM runtime AS service
EXPOSE 8000
# No curl in here; anything but a 200 is an assertion that fails, and so exit code 1.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-IS", "-c", "import http.client as h, os; c = h.HTTPConnection('127.0.0.1', int(os.environ['PROMISE_PORT']), timeout=2); c.request('GET', '/health/ready'); assert c.getresponse().status == 200"]
CMD ["python", "-m", "service"]
