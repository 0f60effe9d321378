"""The row contract: what each stage's table holds, and what can befall a row."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from aacsfnet.facs import ACTION_UNITS, PSPI_UNITS

#: What can befall a frame or picture. "ok" means: go on with it.
STATUSES = {
    "ok": "nothing wrong",
    "missing_file": "the index names a file that is not there",
    "outside_root": "the path leads outside the data's folder; nothing was opened",
    "duplicate": "the frame, or its picture, is already in an earlier row",
    "bad_subject": "the subject is missing",
    "unreadable": "the file is no picture, is truncated or is too large",
    "black": "the picture is black",
    "bad_label": "the label is missing or outside its range",
    "unlabelled": "no label is given; seen by pretraining on geometry alone",
    "no_face": "no face was found",
    "several_faces": "several faces were found and crop.people is refuse",
    "doubtful_face": "what looks like a face is none, or the frames beside it say otherwise",
    "small_face": "the face is smaller than crop.min_face",
    "no_landmarks": "the face mesh was not found on the crop",
    "not_selected": "the plan makes no picture from this frame",
    "failed": "generation gave no usable picture",
    "rejected": "the gate refused the picture",
    "excluded": "the user left it out",
}
#: Those of frames whose picture is looked at. Whatever needs a label takes the first alone.
LOOKED_AT = ("ok", "unlabelled")


@dataclass(frozen=True)
class Fault:
    """Why a frame is not "ok": a status of `STATUSES` and words."""

    status: str
    reason: str


PICTURE = pl.Struct({"bytes": pl.Binary, "path": pl.String})
POINTS = pl.Array(pl.Float32, (478, 3))

#: Facial measures in the landmarks table; `aacsfnet.faces.geometry` has a function of each name.
MEASURES = (
    *("brow_height_right", "brow_height_left", "brow_height", "brow_distance"),
    *("lid_opening_right", "lid_opening_left", "lid_opening", "lower_lid_height"),
    *("cheek_raise", "nose_wrinkle", "upper_lip_raise", "mouth_opening", "mouth_width"),
    *("mouth_corner_pull", "asymmetry"),
)
#: Those that the action units of PSPI move.
PAIN_MEASURES = (
    *("brow_height", "brow_distance", "lid_opening", "lower_lid_height"),
    *("cheek_raise", "nose_wrinkle", "upper_lip_raise"),
)
_MEASURES = pl.Struct(dict.fromkeys(MEASURES, pl.Float32))
#: Parts of a face that something may cover; `aacsfnet.faces.visibility` says what rests on each.
REGIONS = ("brows", "eyes", "nose", "mouth")
#: Columns that tell how much of each region is seen.
VISIBLE = tuple(f"visible_{region}" for region in REGIONS)

#: Parts of a picture in which `aacsfnet explain` sums up what a network reads.
PARTS = ("brows", "lids", "nose", "lips", "rest of face", "hair and background")
#: What stands for the whole network there, beside the names of its branches.
FUSED = "fused"
_SHARES = pl.Struct(dict.fromkeys(PARTS, pl.Float32))

Columns = dict[str, Any]  # name -> Polars type

_FACE: Columns = {
    "frame_id": pl.String,  # <subject>/<sequence>/<frame>
    "subject": pl.String,
    "sequence": pl.String,
    "status": pl.String,
    "reason": pl.String,  # empty when status is "ok"
}
#: Tables of faces hold no label: a corrected label then leaves them as they are.
_FRAME: Columns = {
    **{name: _FACE[name] for name in ("frame_id", "subject", "sequence")},
    "label": pl.Float64,
    **{name: _FACE[name] for name in ("status", "reason")},
}
#: What can be made of a frame: its own picture again; its face at another level of pain; its
#: expression on another face.
KINDS = ("keep", "level", "person")
_UNITS = pl.Struct(dict.fromkeys(PSPI_UNITS, pl.Float32))  # intensities; null where unknown

#: image_id: <frame_id>#<variant>, of other kinds than "keep" <frame_id>#<kind><variant>. The label
#: is that of the picture.
_IMAGE: Columns = {"image_id": pl.String} | _FRAME
_KIND: Columns = {
    "kind": pl.String,  # one of KINDS; null where no picture is made
    "units": _UNITS,  # that the picture shall show
    "source_units": _UNITS,  # that its frame shows
    "warp": pl.Float32,  # largest move of a landmark by editing, eye distances; null: not edited
}
#: Columns that a row hands on from stage to stage.
CARRIED = (*_IMAGE, *_KIND)

#: Columns of each stage's table, in order.
SCHEMAS: dict[str, Columns] = {
    "index": _FRAME
    | {
        "shard": pl.String,
        "position": pl.Int32,  # of the frame in its sequence, from 0
        "path": pl.String,  # how the data set finds the frame again
        "time_s": pl.Float64,  # of a video's frame: when it is shown, seconds; else null
        "file_bytes": pl.Int64,  # of the file that holds it; null where there is none
        "file_modified": pl.Int64,  # when that was changed last, nanoseconds since 1970
        "sex": pl.String,  # "", "f" or "m"
        "age_group": pl.String,  # "", or words
        "split": pl.String,  # "", or the user's own word: train, test, ...
        "notes": pl.List(pl.String),  # oddities evened out: a name of datasets.NOTES[: words]
        "aff": pl.Float32,  # of the sequence, as the patient told: affect, 0-15; null: unknown
        "opr": pl.Float32,  # an observer's rating, 0-5
        "sen": pl.Float32,  # sensation, 0-15
        "vas": pl.Float32,  # visual analogue scale, 0-10
    }
    | dict.fromkeys(ACTION_UNITS, pl.Float32),  # null where unknown
    "crop": _FACE
    | {
        "image": PICTURE,  # RGB, crop.size a side, PNG
        "to_frame": pl.Array(pl.Float64, 6),  # rows of the 2x3 matrix: crop pixels -> frame pixels
        "frame_size": pl.Array(pl.Int32, 2),  # width, height
        "faces": pl.Int32,  # how many were found
        "confidence": pl.Float32,  # the detector's score; null where the face was followed
        "presence": pl.Float32,  # the mesh's score
        "mesh_px": POINTS,  # the mesh that placed the crop, as landmarks_px
        "inside": pl.Float32,  # share of the crop that lies inside the frame
        **dict.fromkeys(VISIBLE, pl.Float32),  # as in the landmarks table, which takes them over
    },
    "landmarks": _FACE
    | {
        "landmarks_px": POINTS,  # x, y in crop pixels (pixel centres at .0), z on x's scale
        "presence": pl.Float32,  # the mesh's score
        "pose": pl.Array(pl.Float32, 3),  # yaw, pitch, roll in the crop, degrees; see faces.pose
        "frame_roll": pl.Float32,  # the head's roll in the frame, degrees
        # Share of each region that is seen, 0 (covered) to 1; of a pair, the worse side's:
        **dict.fromkeys(VISIBLE, pl.Float32),
        # Facial measures by name, interocular distances; null where a region they rest on is
        # covered (landmarks.min_visibility):
        "measures": _MEASURES,
        "changes": _MEASURES,  # the same against the person's median in the shard
    },
    "prompts": _IMAGE
    | _KIND
    | {
        "variant": pl.Int32,  # of its kind, from 0
        "prompt": pl.String,
        "negative_prompt": pl.String,
        "left_out": pl.String,  # phrases that had no room, least important first; "; " between
        "left_out_tokens": pl.Int32,  # how many tokens they have
        "tokens": pl.Int32,  # of the prompt, with start and end token
        "points": pl.Int32,  # of 68 landmarks in the prompt; null but in the published style
        "seed": pl.Int64,
    },
    "depth": _IMAGE | _KIND | {"image": PICTURE},  # 16-bit grey PNG, near = white
    "generate": _IMAGE
    | _KIND
    | {
        "source_frame_id": pl.String,
        "variant": pl.Int32,
        "image": PICTURE,
        "seed": pl.Int64,
        "recipe": pl.String,  # JSON: model, checksums, parameters, device, versions
        "safety_score": pl.Float32,  # above 0 the safety checker would blank it; null: not asked
    },
    "quality": _IMAGE
    | _KIND
    | {
        "source_frame_id": pl.String,
        "faces": pl.Int32,  # found on the picture
        "shift": pl.Float32,  # of the whole face from the source's, interocular distances
        # Distances to the source's landmarks beside that, means over points, interocular distances:
        "landmark_error": pl.Float32,
        "eyes_error": pl.Float32,
        "brows_error": pl.Float32,
        "mouth_error": pl.Float32,
        # Of a kind "level" all of these are against the source given the planned units.
        # Changes of the measures that pain moves, generated minus source, interocular distances:
        **{f"{name}_change": pl.Float32 for name in PAIN_MEASURES},
        "measure_difference": pl.Float32,  # largest of these, without sign
        "possible_difference": pl.Float32,  # likewise, each with its error margin
        "worst_measure": pl.String,  # which one that is
        "target_error": pl.Float32,  # of a level: largest of these over what the mesh itself errs
        "missed_measure": pl.String,  # which one that is
        "corner_difference": pl.Float32,  # of the height of the mouth's corners, eye distances
        "pspi_change": pl.Float32,  # of the PSPI estimated from the measures; null: too few frames
        "pspi_difference": pl.Float32,  # the same without sign
        "pose_difference": pl.Float32,  # largest change of yaw, pitch and roll, degrees
        "identity": pl.Float32,  # cosine of the embeddings, -1 to 1; null without a model
        # Likewise without a model: recorded alone, see `augmentation.gate.likeness`.
        "pixel_distance": pl.Float32,
        "shape_distance": pl.Float32,
        "read_change": _UNITS,  # read by the witness, generated minus source; null without one
        "sharpness": pl.Float32,  # variance of the Laplacian over the source's
        "brightness": pl.Float32,  # mean grey value, 0 to 1
        "contrast": pl.Float32,  # standard deviation of grey values, 0 to 1
        "source_difference": pl.Float32,  # mean absolute difference from the source, 0 to 1
        "variant_difference": pl.Float32,  # likewise, least from another variant of the frame
        "measures": _MEASURES,  # facial measures found on the picture, as in the landmarks table
    },
    "merge": _IMAGE
    | _KIND
    | {
        "source_frame_id": pl.String,  # null for a real picture, whose image_id is its frame_id
        "synthetic": pl.Boolean,
        "pool": pl.Boolean,  # of a subject who trains in every fold and is never held out
        "shard": pl.String,
        "row": pl.Int64,  # place in images.npy; null where status is not one of LOOKED_AT
        "digest": pl.String,  # BLAKE2b of the pixels in images.npy; null without any
        "kept": pl.Float32,  # middle of the crop that images.npy holds, share of its side
        "measures": _MEASURES,  # facial measures found on the picture itself; null where no face is
        # Of a real picture's face, to judge in use whether a new face is like those of training:
        "yaw": pl.Float32,  # degrees
        "pitch": pl.Float32,  # degrees
        "frame_pixels": pl.Float32,  # of the frame, along a side, to one pixel of the crop
        **dict.fromkeys(VISIBLE, pl.Float32),  # as in the landmarks table
    },
    "explain": _FRAME
    | {
        "fold": pl.Int64,  # that held the subject out
        "seed": pl.Int64,
        "branch": pl.String,  # a branch of the network, or FUSED
        "prediction": pl.Float64,
        "amount": pl.Float64,  # sum of the attribution over the picture, units of the label
        "shares": _SHARES,  # of the attribution, by region; null: the network ignores the picture
        "areas": _SHARES,  # of the picture, likewise
        "image": PICTURE,  # 16-bit grey PNG: the attribution on the mean face, 65535 = its largest
    },
}
