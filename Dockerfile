# The package and all that it needs, without development tools: docker build --tag aacsfnet .
# Jobs in it: docs/how-to/cluster.md. The same steps make apptainer.def's image.
FROM debian:12-slim
COPY . /opt/aacsfnet
RUN sh /opt/aacsfnet/containers/steps.sh
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin
ENTRYPOINT ["aacsfnet"]
