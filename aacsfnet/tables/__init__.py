"""The row contract: what each stage's table holds, and how tables are read and written.

A table is one Parquet file: one shard of one stage. Every frame of the index keeps a row in each
later table; `status` is "ok" or one of `STATUSES`, and `reason` says what happened in words.
Pictures are encoded bytes in the form `{"bytes", "path"}` that the `datasets` library reads as
`Image`; DuckDB, Polars and pandas read the files as they are.
"""

from aacsfnet.tables.parquet import (
    carry,
    frame,
    labelled,
    notes,
    read,
    read_pictures,
    write,
    write_rows,
)
from aacsfnet.tables.pictures import (
    decode_png,
    encode_png,
    export_pictures,
    png_name,
    png_size,
)
from aacsfnet.tables.schemas import (
    FUSED,
    KINDS,
    LOOKED_AT,
    MEASURES,
    PAIN_MEASURES,
    PARTS,
    PICTURE,
    POINTS,
    REGIONS,
    SCHEMAS,
    STATUSES,
    VISIBLE,
    Fault,
)

__all__ = [
    "FUSED",
    "KINDS",
    "LOOKED_AT",
    "MEASURES",
    "PAIN_MEASURES",
    "PARTS",
    "PICTURE",
    "POINTS",
    "REGIONS",
    "SCHEMAS",
    "STATUSES",
    "VISIBLE",
    "Fault",
    "carry",
    "decode_png",
    "encode_png",
    "export_pictures",
    "frame",
    "labelled",
    "notes",
    "png_name",
    "png_size",
    "read",
    "read_pictures",
    "write",
    "write_rows",
]
