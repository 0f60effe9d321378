#!/bin/sh
# What makes an image of a plain Debian 12: run in it as root, with the checkout in /opt/aacsfnet.
# Dockerfile, apptainer.def and a test run these same steps. Versions are those of constraints.txt.
set -eu
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
  ca-certificates make python3 python3-venv
rm -rf /var/lib/apt/lists/*
cd /opt/aacsfnet
PIP_NO_CACHE_DIR=1 make install PYTHON=python3 VENV=/opt/venv EXTRAS=imagenet,onnx
/opt/venv/bin/aacsfnet --version
