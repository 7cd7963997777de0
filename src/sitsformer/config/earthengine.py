"""The section `earthengine`: how Google Earth Engine is asked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from sitsformer.config.base import Fraction, Section


class EarthEngine(Section):
    """How Earth Engine is asked; see docs/earthengine.md."""

    project: str | None = None
    """Cloud project; default: the environment variable EARTHENGINE_PROJECT."""
    service_account_key: str | None = None
    """Path of a service-account key file; default: the ordinary Earth Engine credentials."""
    url: str = "https://earthengine-highvolume.googleapis.com"
    """Endpoint; the high-volume one by default."""
    export: Literal["direct", "batch"] = "direct"
    """`direct`: computePixels requests; `batch`: Export tasks to `bucket` or `drive_folder`."""
    bucket: str | None = None
    """`batch`: Google Cloud Storage bucket."""
    drive_folder: str | None = None
    """`batch`: Google Drive folder, read back from `drive_path`."""
    drive_path: str | None = None
    """`batch`: local folder where the Drive folder is mounted or synchronised."""
    batch_timeout: float = Field(24.0, gt=0, le=8760)
    """`batch`: hours to wait for the tasks."""
    concurrent: int = Field(20, ge=1, le=40)
    """Requests under way at once, of one export; all of the workflow together are kept under the
    resource `earthengine_requests` of the profile."""
    rate: float = Field(40.0, gt=0, le=100)
    """Requests started per second."""
    deadline: float = Field(330.0, gt=0, le=86_400)
    """Seconds after which one request is given up (and tried again or split); Earth Engine itself
    gives up after 300."""
    attempts: int = Field(8, ge=1, le=20)
    """Tries of one request before the export fails; refusals for the quota are not counted."""
    patience: float = Field(60.0, gt=0, le=10_080)
    """Minutes that a request is tried again while the project's quota is used up (429)."""
    min_clear: Fraction = 0.05
    """Dates with a smaller clear share of the tile are left out before their pixels are fetched."""
    clear_score: int = Field(60, ge=0, le=100)
    """`min_clear` counts pixels whose cloud score is at least this."""
    cloud_score: Literal["cs", "cs_cdf"] = "cs_cdf"
    """Cloud Score+ band that becomes `clear`."""
    cache: str = ".cache/earthengine"
    """Folder of finished requests; `sitsformer cache` shows and empties it."""
    cache_gb: float = Field(20.0, ge=0)
    """Size the cache is kept under, GB."""

    @model_validator(mode="after")
    def _check(self) -> EarthEngine:
        if self.export == "batch" and (self.bucket is None) == (self.drive_folder is None):
            raise ValueError("export: batch needs either a `bucket` or a `drive_folder`")
        if self.drive_folder is not None and self.drive_path is None:
            raise ValueError(
                "drive_folder needs drive_path, the local folder where Drive is mounted"
            )
        return self
