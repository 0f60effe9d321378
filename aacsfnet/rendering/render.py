"""A picture of a person: `render` is pure, and knows the truth about what it draws."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aacsfnet.facs import HIGHEST
from aacsfnet.rendering import head, mesh, places, raster, texture
from aacsfnet.rendering.expressions import Eye, express
from aacsfnet.rendering.mesh import Array, Part, array
from aacsfnet.rendering.people import Person, neutral_face

CAMERA_DISTANCE = 80.0  #: cm from the lens to the face
SUPERSAMPLING = 2
FACE_HEIGHT = 17.7  #: cm from chin to hairline of the canonical face
IRIS_RADIUS = 0.585  #: cm


@dataclass(frozen=True)
class Pose:
    """How the head is held and where it is in the picture.

    Attributes:
        yaw: degrees, positive turns the face to the picture's right.
        pitch: degrees, positive lifts the chin.
        roll: degrees, positive tilts clockwise in the picture.
        face_height: chin to hairline when frontal, as a share of the picture's shorter side.
        centre: where the face's middle is, x and y as shares of the picture's sides.
        gaze: of the eyes relative to the head: right and up, degrees.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    face_height: float = 0.6
    centre: tuple[float, float] = (0.5, 0.48)
    gaze: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Light:
    """What lights the person.

    Attributes:
        direction: towards the main light (right, up, to the viewer); any length.
        strength: of the main light.
        ambient: of the light from all round.
        colour: sRGB factors of both.
    """

    direction: tuple[float, float, float] = (-0.4, 0.7, 0.9)
    strength: float = 0.62
    ambient: float = 0.48
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Lens:
    """What the camera adds.

    Attributes:
        blur: standard deviation, pixels.
        noise: standard deviation, grey levels of 255.
        scene_seed: of the background.
        noise_seed: of the noise.
        background: "room", "wall" or "studio".
    """

    blur: float = 0.0
    noise: float = 0.0
    scene_seed: int = 0
    noise_seed: int = 0
    background: str = "room"


@dataclass(frozen=True)
class Rendering:
    """A picture and what is true of it.

    Attributes:
        picture: `(H, W, 3)` uint8 RGB.
        landmarks_px: `(478, 3)` float32 in MediaPipe's order; x right, y down in pixels with pixel
            centres at integers; z on x's scale, smaller is nearer.
        depth: `(H, W)` float32, as the landmarks' z; infinite where the background is seen.
    """

    picture: NDArray[np.uint8]
    landmarks_px: Array
    depth: Array


def rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Return the matrix `(3, 3)` that turns head coordinates; degrees, as in `Pose`."""
    a, b, c = np.deg2rad([yaw, -pitch, -roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return array(about_z @ about_x @ about_y)


@dataclass(frozen=True)
class _Camera:
    """From head coordinates to pixels."""

    pose: Pose
    height: int
    width: int

    @property
    def pixels_per_cm(self) -> float:
        return self.pose.face_height * min(self.height, self.width) / FACE_HEIGHT

    def turned(self, vertices: Array, follows: Array) -> Array:
        """Return vertices in camera coordinates, cm; `follows` 1 turns with the head."""
        pose = self.pose
        with_head = rotation(pose.yaw, pose.pitch, pose.roll)
        with_body = rotation(0.3 * pose.yaw, 0.1 * pose.pitch, 0.12 * pose.roll)
        pivot = places.NECK_PIVOT
        turned = vertices @ with_head.T
        if (follows < 1).any():
            body = (vertices - pivot) @ with_body.T + with_head @ pivot
            turned += (1 - follows)[:, None] * (body - turned)
        return turned

    def project(self, turned: Array) -> Array:
        """Return x, y and z in pixels `(V, 3)`."""
        scale = self.pixels_per_cm
        near = CAMERA_DISTANCE / (CAMERA_DISTANCE - turned[:, 2])
        x = self.pose.centre[0] * (self.width - 1) + scale * turned[:, 0] * near
        y = self.pose.centre[1] * (self.height - 1) - scale * turned[:, 1] * near
        return array(np.stack([x, y, -scale * turned[:, 2]], axis=1))


def render(
    person: Person,
    expression: Mapping[str, float],
    pose: Pose | None = None,
    light: Light | None = None,
    lens: Lens | None = None,
    size: int | tuple[int, int] = 256,
) -> Rendering:
    """Return a picture of a person with action units raised.

    Args:
        person: whom.
        expression: intensities by action unit (`action_units.HIGHEST`), absent ones are 0.
        pose: of the head; frontal in the middle when None.
        light: from above left when None.
        lens: sharp and clean when None.
        size: side of the picture, or (height, width), pixels.

    Raises:
        KeyError: an action unit that is not rendered.
    """
    pose, light, lens = pose or Pose(), light or Light(), lens or Lens()
    height, width = (size, size) if isinstance(size, int) else size
    camera = _Camera(pose, height, width)
    face = express(neutral_face(person), expression)
    jaw = min(expression.get("au26", 0.0), HIGHEST["au26"]) / HIGHEST["au26"]
    gaze = (float(np.deg2rad(pose.gaze[0])), float(np.deg2rad(pose.gaze[1])))
    levels = 1 if pose.face_height * min(height, width) < 500 else 2
    layers, eyes = head.parts_of(person, face, jaw, gaze, levels)
    points, values, triangles, order = _place(layers, camera, light)
    texels = _texture_size(pose.face_height * min(height, width))
    atlas = texture.expressive_atlas(person, texels, expression)

    step = SUPERSAMPLING
    fine = points[:, :2] * step + (step - 1) / 2
    seen = raster.visible(fine, order, triangles, height * step, width * step)
    u, v, diffuse, gloss = raster.evaluate(seen, raster.planes(fine, triangles, values))
    colour = cv2.remap(atlas, u * texels - 0.5, v * texels - 0.5, cv2.INTER_LINEAR,
                       borderMode=cv2.BORDER_REPLICATE)  # fmt: skip
    lit = _shade(colour.astype(np.uint8, copy=False), diffuse, gloss, light)
    scene = background(lens, height, width)
    picture = _develop(lit, seen > 0, scene, lens)
    coarse = seen[::step, ::step]
    depth = raster.evaluate(coarse, raster.planes(points[:, :2], triangles, points[:, 2:]))[0]
    depth[coarse == 0] = np.inf
    return Rendering(picture, _landmarks(face, eyes, gaze, camera), depth)


def _texture_size(face_height_px: float) -> int:
    """Return a texture's side that suits a face of a height in pixels."""
    wanted = 1.7 * face_height_px
    return next((side for side in (120, 180, 260, 400, 640) if side >= wanted), 1000)


def _place(
    layers: list[list[Part]], camera: _Camera, light: Light
) -> tuple[Array, Array, mesh.Indices, mesh.Indices]:
    """Return all parts as one mesh.

    Returns:
        points `(V, 3)` in pixels; values `(V, 4)`: texture u, v, diffuse and gloss; triangles
        `(T, 3)`; the order `(N,)` in which the visible ones are drawn.
    """
    points, values, triangles, orders = [], [], [], []
    vertices_before = triangles_before = 0
    towards = array(light.direction)
    towards = towards / np.linalg.norm(towards)
    halfway = towards + array([0, 0, 1])
    halfway = halfway / np.linalg.norm(halfway)
    for layer in layers:
        numbers, distances = [], []
        for part in layer:
            turned = camera.turned(part.vertices, part.follows)
            placed = camera.project(turned)
            normal = mesh.normals(turned, part.triangles)
            if part.both_sides:
                normal = np.where(normal[:, 2:] < 0, -normal, normal)
            # A little light wraps round the edge, as it does on skin.
            wrapped = np.maximum((normal @ towards + 0.3) / 1.3, 0)
            ambient = light.ambient * (0.82 + 0.18 * normal[:, 1])
            diffuse = (light.strength * wrapped + ambient) * part.shade
            gloss = 0.16 * part.gloss * np.maximum(normal @ halfway, 0) ** 18 * part.shade
            points.append(placed)
            values.append(np.concatenate([part.texture, diffuse[:, None], gloss[:, None]], axis=1))
            triangles.append(part.triangles + vertices_before)
            area = raster.areas(placed[:, :2], part.triangles)
            shown = np.flatnonzero(area > 0.01 if not part.both_sides else np.abs(area) > 0.01)
            numbers.append(shown + triangles_before)
            away = placed[part.triangles[shown], 2].mean(1)
            distances.append(away + part.set_back * camera.pixels_per_cm)
            vertices_before += len(placed)
            triangles_before += len(part.triangles)
        farthest_first = np.argsort(-np.concatenate(distances), kind="stable")
        orders.append(np.concatenate(numbers)[farthest_first])
    return (
        np.concatenate(points),
        np.concatenate(values).astype(np.float32),
        np.concatenate(triangles).astype(np.int32),
        np.concatenate(orders).astype(np.int32),
    )


def _shade(
    colour: NDArray[np.uint8], diffuse: Array, gloss: Array, light: Light
) -> NDArray[np.uint8]:
    """Return lit pixels `(H, W, 3)`. Shadows on skin are warmer than its lights."""
    level = np.clip(diffuse * 128, 0, 255).astype(np.uint8)
    ramp = np.arange(256, dtype=np.float32)[:, None] / 128
    powers = array([0.94, 1.03, 1.06])
    table = np.clip(128 * ramp**powers * array(light.colour), 0, 255).astype(np.uint8)
    light_rgb = cv2.LUT(cv2.merge([level] * 3), table[None])
    lit = cv2.multiply(colour, light_rgb, scale=1 / 128)
    shine = cv2.merge([(gloss * 255 * light.strength).astype(np.uint8)] * 3)
    return cv2.add(lit, shine)  # type: ignore[return-value]


def _develop(
    lit: NDArray[np.uint8], inside: NDArray[np.bool_], scene: NDArray[np.uint8], lens: Lens
) -> NDArray[np.uint8]:
    """Return the picture: the person over the scene, blurred, with sensor noise."""
    height, width = scene.shape[:2]
    cover = cv2.resize(inside.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    lit[~inside] = 0
    person = cv2.resize(lit, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    picture = person + (1 - cover)[..., None] * scene
    if lens.blur > 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), lens.blur)
    if lens.noise > 0:
        rng = np.random.default_rng([lens.noise_seed, 1])
        picture = picture + lens.noise * rng.standard_normal(picture.shape, np.float32)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def background(lens: Lens, height: int, width: int) -> NDArray[np.uint8]:
    """Return what is behind the person, out of focus, `(H, W, 3)`."""
    rng = np.random.default_rng([lens.scene_seed, 2])
    base = rng.uniform(90, 205) + rng.normal(0, 9, 3)
    coarse = np.empty((24, 24, 3), np.float32)
    y, x = np.mgrid[:24, :24].astype(np.float32) / 23
    slope = rng.normal(0, 22, 2)
    coarse[:] = base + (slope[0] * (x - 0.5) + slope[1] * (y - 0.5) - 18 * y)[..., None]
    if lens.background == "studio":
        coarse *= (1.12 - 0.45 * ((x - 0.5) ** 2 + (y - 0.4) ** 2))[..., None]
    if lens.background == "room":
        for _ in range(5):
            left, top = rng.integers(-4, 20, 2)
            wide, tall = rng.integers(4, 12, 2)
            tint = base * rng.uniform(0.5, 1.25) + rng.normal(0, 9, 3)
            coarse[max(top, 0) : top + tall, max(left, 0) : left + wide] = tint
        coarse = array(cv2.GaussianBlur(coarse, (0, 0), 0.7))
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth, 0, 255).astype(np.uint8)


def _landmarks(
    face: Array, eyes: tuple[Eye, Eye], gaze: tuple[float, float], camera: _Camera
) -> Array:
    """Return the 478 true landmarks in pixels: 468 of the face, five of each iris."""
    points = [face]
    for eye in eyes:
        forward = array([np.sin(gaze[0]), np.sin(gaze[1]), 0])
        forward[2] = np.sqrt(1 - forward[0] ** 2 - forward[1] ** 2)
        centre = eye.centre + 0.9 * eye.radius * forward
        ring = array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]]) * IRIS_RADIUS
        points += [centre[None], centre + ring]
    stacked = np.concatenate(points)
    return camera.project(camera.turned(stacked, np.ones(len(stacked), np.float32)))
