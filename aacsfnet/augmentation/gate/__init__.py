"""What a generated picture is measured by before it may be used."""
