"""Images in the format of MCUboot: build, read, verify. The parts are in the image_* modules."""

from simcore.update.image_build import build_image
from simcore.update.image_format import (
    Behaviour,
    Dependency,
    Image,
    ImageVersion,
    Tlv,
    TlvEntry,
    VendorTlv,
)
from simcore.update.image_keys import KeyKind, SigningKey, VerifyKey
from simcore.update.image_reader import read_image
from simcore.update.image_verify import ImageFault, ImageVerdict, verify_image

__all__ = [
    "Behaviour",
    "Dependency",
    "Image",
    "ImageFault",
    "ImageVerdict",
    "ImageVersion",
    "KeyKind",
    "SigningKey",
    "Tlv",
    "TlvEntry",
    "VendorTlv",
    "VerifyKey",
    "build_image",
    "read_image",
    "verify_image",
]
