"""MediaPipe's face networks, called one at a time on small squares.

`mediapipe.solutions` runs detector and mesh as one graph that samples the frame bilinearly, which
aliases large faces, and runs the detector whether it is needed or not. Here each network takes a
square that the caller has sampled (see `aacsfnet.faces.sampling`), so one frame costs exactly the
calls that it needs. The models are those inside the mediapipe package; nothing is fetched.
"""

import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Self

import numpy as np

#: Held while a graph starts: what native code says then is held back for the whole process.
_STARTING = Lock()
#: Side of the square that each network sees, pixels.
DETECTOR_SIDE = {"short": 128, "full": 192}
MESH_SIDE = 192
POINTS = 478

_DETECTOR = """
input_stream: "image"
output_stream: "detections"
node {{
  calculator: "FaceDetection{kind}RangeCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
}}
"""

_MESH = """
input_stream: "image"
input_side_packet: "whole"
output_stream: "landmarks"
node {
  calculator: "SidePacketToStreamCalculator"
  input_stream: "TICK:image"
  input_side_packet: "whole"
  output_stream: "AT_TICK:roi"
}
node {
  calculator: "ConstantSidePacketCalculator"
  output_side_packet: "PACKET:with_attention"
  options {
    [mediapipe.ConstantSidePacketCalculatorOptions.ext] { packet { bool_value: true } }
  }
}
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""
# MediaPipe cuts the region out of the picture by a second, bilinear resampling. The square is that
# region, so its pixels are taken as they are: the same numbers, a tenth of the time sooner.
_RESAMPLED = re.compile(
    r'node {\n  name: "\w+"\n  calculator: "ImageToTensorCalculator".*?\n}\n', re.DOTALL
)
_AS_IT_IS = """node {
  calculator: "TensorConverterCalculator"
  input_stream: "IMAGE:image"
  output_stream: "TENSORS:facelandmarkcpu__input_tensors"
  options {
    [mediapipe.TensorConverterCalculatorOptions.ext] {
      output_tensor_float_range { min: 0 max: 1 }
    }
  }
}
"""
# The stream inside FaceLandmarkCpu that holds the score before it is compared with a threshold.
_PRESENCE = "facelandmarkcpu__face_presence_score"


# Nodes follow each other, so a pool of threads would only hand them from one to the next: run by
# whoever waits, a film's faces are found a twentieth sooner.
_POOL, _CALLER = "executor {\n}\n", 'executor {\n  type: "ApplicationThreadExecutor"\n}\n'


class _Graph:
    """A MediaPipe graph that takes one picture and gives its output packets.

    It starts when it is first needed: most pictures do without the dense detector, which takes
    longer to start than a picture takes. Threads may share it: it takes pictures one by one.

    Args:
        text: gives the graph's text.
        outputs: the streams that are wanted.
        side: of the squares that it takes, pixels.
        shared: side packets, the same for all squares, by name.
    """

    def __init__(
        self, text: Callable[[], str], outputs: tuple[str, ...], side: int, **shared: Any
    ) -> None:
        self._text, self._outputs, self._side, self._shared = text, outputs, side, shared
        self._graph: Any = None
        self._latest: dict[str, Any] = {}
        self._time = 0
        self._lock = Lock()

    @property
    def started(self) -> bool:
        return self._graph is not None

    def start(self) -> None:
        """Start it now, where it has not started."""
        with self._lock:
            self._start()

    def run(self, square: np.ndarray) -> dict[str, Any]:
        """Return the output packets, by stream, of a square `(side, side, 3)` uint8 RGB."""
        with self._lock:
            self._start()
            return self._packets_of(square)

    def _start(self) -> None:
        if self.started:
            return
        from mediapipe.python._framework_bindings import calculator_graph

        with _STARTING, _native_chatter_held_back():
            graph = calculator_graph.CalculatorGraph(graph_config=self._text())
            for name in self._outputs:
                graph.observe_output_stream(name, self._latest.__setitem__, True)
            graph.start_run(self._shared)
            self._graph = graph
            try:  # the first picture makes native code talk, too
                self._packets_of(np.zeros((self._side, self._side, 3), np.uint8))
            except BaseException:
                self._graph = None
                raise

    def _packets_of(self, square: np.ndarray) -> dict[str, Any]:
        from mediapipe.python import packet_creator
        from mediapipe.python._framework_bindings import image_frame

        pixels = np.ascontiguousarray(square).view()
        pixels.flags.writeable = False  # so it is not copied
        picture = packet_creator.create_image_frame(
            image_format=image_frame.ImageFormat.SRGB, data=pixels
        )
        self._time += 1
        self._latest.clear()
        self._graph.add_packet_to_input_stream("image", picture.at(self._time))
        self._graph.wait_until_idle()
        return dict(self._latest)

    def close(self) -> None:
        if self.started:
            self._graph.close_all_packet_sources()
            self._graph.wait_until_done()


class Networks:
    """Holds networks of native code; use it in `with`, or `close` it."""

    _held: "tuple[_Graph | Networks, ...]"

    def start(self) -> None:
        """Start all networks now, not each when it is first needed.

        While one starts, messages of other threads are lost: start them before the threads.
        """
        for each in self._held:
            each.start()

    def close(self) -> None:
        """Free the networks' memory and threads."""
        for each in self._held:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FaceDetector(Networks):
    """One of MediaPipe's two detectors.

    "short" (128 pixels) is quick and sure with faces above a seventh of the square; "full"
    (192 pixels, a denser grid) also finds those of a fifteenth.

    Args:
        kind: which of the two.
        min_confidence: least score of what is returned, 0 to 1.
    """

    def __init__(self, kind: Literal["short", "full"], min_confidence: float) -> None:
        def text() -> str:
            text, found = _expanded(_DETECTOR.format(kind=kind.capitalize()), "min_score_thresh:")
            return text.replace(found, f"min_score_thresh: {min_confidence}")

        self.side = DETECTOR_SIDE[kind]
        self._graph = _Graph(text, ("detections",), self.side)
        self._held = (self._graph,)

    def __call__(self, square: np.ndarray) -> np.ndarray:
        """Return the faces in a square picture.

        Args:
            square: `(side, side, 3)` uint8 RGB.

        Returns:
            `(faces, 17)` float64: score; box as x, y of its upper left, width, height; six points
            x, y (picture-left eye, picture-right eye, nose tip, mouth, two ears). All but the
            score in shares of the side, highest score first.
        """
        from mediapipe.python import packet_getter

        packet = self._graph.run(square)["detections"]
        if packet.is_empty():
            return np.zeros((0, 17))
        rows = []
        for detection in packet_getter.get_proto_list(packet):
            where = detection.location_data
            box = where.relative_bounding_box
            points = [value for point in where.relative_keypoints for value in (point.x, point.y)]
            rows.append([detection.score[0], box.xmin, box.ymin, box.width, box.height, *points])
        faces = np.array(rows, np.float64).reshape(-1, 17)
        return faces[np.argsort(-faces[:, 0], kind="stable")]


class FaceMesh(Networks):
    """MediaPipe's mesh of 478 points with refined lids, lips and irises."""

    def __init__(self) -> None:
        from mediapipe.framework.formats import rect_pb2
        from mediapipe.python import packet_creator

        whole = rect_pb2.NormalizedRect(x_center=0.5, y_center=0.5, width=1.0, height=1.0)
        region = packet_creator.create_proto(whole)
        self._graph = _Graph(self._text, ("landmarks", _PRESENCE), MESH_SIDE, whole=region)
        self._held = (self._graph,)

    @staticmethod
    def _text() -> str:
        # The graph drops faces below its threshold; the score is wanted instead.
        text, threshold = _expanded(_MESH, "threshold:")
        text = text.replace(threshold, "threshold: 0.0")
        text, resampled = _RESAMPLED.subn(_AS_IT_IS, text)
        assert resampled == 1, "mediapipe's mesh takes its square in another way"
        return text + f'\noutput_stream: "{_PRESENCE}"\n'

    def __call__(self, square: np.ndarray) -> tuple[np.ndarray, float]:
        """Return the points of the face that fills a square picture, and how sure they are.

        Args:
            square: `(192, 192, 3)` uint8 RGB; the face upright, about two thirds of the side.

        Returns:
            `(478, 3)` float64 x, y, z in pixels of the square (pixel centres at integers, z on
            x's scale, smaller = nearer), and the network's score that this is a face, 0 to 1.
        """
        from mediapipe.python import packet_getter
        from mediapipe.python._framework_bindings import _packet_getter

        packets = self._graph.run(square)
        points = points_of(_packet_getter._get_serialized_proto(packets["landmarks"]))
        points *= MESH_SIDE
        points[:, :2] -= 0.5  # the network's 0 is the square's edge, ours the first pixel's centre
        return points, float(packet_getter.get_float(packets[_PRESENCE]))


#: One landmark as Protocol Buffers write it: tag and length, then tag and value of x, y and z.
_LANDMARK = np.dtype("V2, V1, <f4, V1, <f4, V1, <f4")


def points_of(encoded: bytes) -> np.ndarray:
    """Return the points `(n, 3)` float64 of a list of landmarks as Protocol Buffers write it.

    Decoding it and asking each landmark for its numbers takes a tenth of the time that the network
    takes.
    """
    landmarks = np.frombuffer(encoded, _LANDMARK)
    points = np.empty((len(landmarks), 3))
    for axis, name in enumerate(("f2", "f4", "f6")):
        points[:, axis] = landmarks[name]
    return points


def _expanded(graph: str, key: str) -> tuple[str, str]:
    """Return a graph's text with its subgraphs written out, and the one line that sets `key`.

    Its nodes are run by the thread that waits for them.
    """
    import mediapipe
    from mediapipe.python._framework_bindings import resource_util, validated_graph_config

    resource_util.set_resource_dir(str(Path(mediapipe.__file__).parents[1]))
    config = validated_graph_config.ValidatedGraphConfig()
    config.initialize(graph_config=graph)
    text = config.text_config
    lines = {line.strip() for line in text.splitlines() if line.strip().startswith(key)}
    assert len(lines) == 1, f"mediapipe's graph has {len(lines)} different lines of {key}"
    assert text.count(_POOL) == 1, "mediapipe's graph names its executor in another way"
    return text.replace(_POOL, _CALLER), lines.pop()


@contextmanager
def _native_chatter_held_back() -> Iterator[None]:
    """Keep what native code writes to stderr while a network starts; show it only on failure.

    MediaPipe and TensorFlow Lite announce delegates and harmless warnings there, and their
    logging level cannot be set from Python.
    """
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no stderr, as under some services
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
