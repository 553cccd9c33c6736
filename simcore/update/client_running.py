"""What the update client says of the software that runs on its ECU."""

from __future__ import annotations

from hashlib import sha256

from simcore.errors import InputError
from simcore.update.client_core import ClientCore
from simcore.update.image_reader import read_image
from simcore.update.verification import Installed
from simcore.update.version_report import VersionReport


class ClientRunning(ClientCore):
    """Adds the questions about the running slot to the core. It is only ever read."""

    def running_hash(self) -> bytes:
        """SHA-256 of the image file that runs; empty where none does."""
        region = self.layout.running.on(self._flash)
        try:
            size = read_image(region).size
        except InputError:
            return b""
        return sha256(region.read(0, size)).digest()

    def version_report(self, now_ns: int) -> VersionReport | None:
        """What runs here, for the vehicle's manifest; None where nothing readable does.

        Each report has its own counter, persisted before it is given out. The caller signs.
        """
        region = self.layout.running.on(self._flash)
        try:
            image = read_image(region)
        except InputError:
            return None
        self._persist(reports=self.record.reports + 1)
        self._take_time(now_ns, image.size)
        settings, trusted = self.settings, self._memory.trusted
        digest = self.running_hash()
        return VersionReport(
            ecu_id=settings.ecu_id,
            hardware_id=settings.hardware_id,
            filename=self._memory.filename_of(digest),
            length=image.size,
            sha256=digest,
            version=image.version,
            release_counter=trusted.release_counters.get(settings.ecu_id, 0),
            security_counter=image.security_counter or 0,
            attack=self.attack,
            attack_text=self.cause,
            time_s=trusted.time_s,
            counter=self.record.reports,
        )

    def _runs_new(self) -> bool:
        record = self.record
        return record.size > 0 and self.running_hash() == record.image_hash

    def _running(self) -> dict[str, Installed]:
        region = self.layout.running.on(self._flash)
        try:
            image = read_image(region)
        except InputError:
            return {}
        settings = self.settings
        counters = self._memory.trusted.release_counters
        installed = Installed(
            settings.hardware_id,
            self.running_hash(),
            image.version,
            counters.get(settings.ecu_id, 0),
            image.security_counter or 0,
        )
        return {settings.ecu_id: installed}
