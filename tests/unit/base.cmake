# Unit tests and fuzz targets of this part.
