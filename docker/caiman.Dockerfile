# syntax=docker/dockerfile:1
# The image of docker/Dockerfile with CaImAn beside it, from conda-forge, in an environment of its
# own: its versions of NumPy and SciPy are not ours. Its interpreter is $MESMERIZE_CAIMAN_PYTHON.
# Build docker/Dockerfile first: docker build -f docker/caiman.Dockerfile -t mesmerize-caiman .
ARG MESMERIZE=mesmerize:latest

FROM mambaorg/micromamba:2.0.5 AS caiman
# hadolint ignore=DL3002
USER root
RUN micromamba create --yes --prefix /opt/caiman --channel conda-forge \
        "caiman>=1.11,<2" \
    && /opt/caiman/bin/python -c "import caiman.source_extraction" \
    && micromamba clean --all --yes

# hadolint ignore=DL3006
FROM ${MESMERIZE}
COPY --from=caiman /opt/caiman /opt/caiman
ENV MESMERIZE_CAIMAN_PYTHON=/opt/caiman/bin/python
USER 10001
