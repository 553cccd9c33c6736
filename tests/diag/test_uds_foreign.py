"""udsoncan as a foreign reader and writer of our bytes: its requests, our answers, its decoders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simcore.diag.certificate import P256_INDICATOR
from simcore.diag.certificate_issuing import SigningKey
from simcore.diag.codes import Nrc

udsoncan = pytest.importorskip("udsoncan")
from udsoncan import Request, Response, services  # noqa: E402
from udsoncan.common.DidCodec import AsciiCodec, DidCodec  # noqa: E402
from udsoncan.ResponseCode import ResponseCode  # noqa: E402

Benches = Callable[..., Any]


class Raw(DidCodec):
    """A data record as it is."""

    def __init__(self, size: int) -> None:
        self.size = size

    def encode(self, value: bytes) -> bytes:
        return value

    def decode(self, payload: bytes) -> bytes:
        return payload

    def __len__(self) -> int:
        return self.size


class RawIo(Raw):
    """A control state."""


def exchange(bench: Any, request: Request) -> Response:
    """The response as udsoncan parses it; the request must be answered with one."""
    (payload,) = bench.server.request(request.get_payload(), bench.now_ns)
    response = Response.from_payload(payload)
    assert response.valid, response.invalid_reason
    assert response.service is request.service
    return response


def read_back(service: Any, response: Response, **options: Any) -> Any:
    """What udsoncan makes of a positive response."""
    assert response.positive, response.code_name
    service.interpret_response(response, **options)
    return response.service_data


def test_sessions_and_their_times(uds_bench: Benches) -> None:
    control = services.DiagnosticSessionControl
    bench = uds_bench()
    for session, p2_s, p2_star_s in ((1, 0.05, 5.0), (3, 0.05, 5.0), (2, 0.04, 4.0)):
        data = read_back(
            control, exchange(bench, control.make_request(session)), standard_version=2020
        )
        assert data.session_echo == session
        assert data.p2_server_max == pytest.approx(p2_s)
        assert data.p2_star_server_max == pytest.approx(p2_star_s)


def test_reset_and_tester_present(uds_bench: Benches) -> None:
    bench = uds_bench()
    data = read_back(services.TesterPresent, exchange(bench, services.TesterPresent.make_request()))
    assert data.subfunction_echo == 0
    data = read_back(services.ECUReset, exchange(bench, services.ECUReset.make_request(1)))
    assert data.reset_type_echo == 1


def test_security_access(uds_bench: Benches) -> None:
    access = services.SecurityAccess
    bench = uds_bench()
    bench.go("ext")
    seed = access.Mode.RequestSeed
    data = read_back(access, exchange(bench, access.make_request(1, seed)), mode=seed)
    key = bench.server.table.level(1).key(data.seed)
    request = access.make_request(1, access.Mode.SendKey, key)
    data = read_back(access, exchange(bench, request), mode=access.Mode.SendKey)
    assert data.security_level_echo == 2
    assert bench.server.unlocked_level == 1


def test_reading_and_writing_identifiers(uds_bench: Benches) -> None:
    bench = uds_bench()
    codecs = {0xF190: AsciiCodec(17), 0x0100: Raw(8), 0x0110: Raw(2)}
    read = services.ReadDataByIdentifier
    request = read.make_request([0xF190, 0x0100], codecs)
    data = read_back(read, exchange(bench, request), didlist=[0xF190, 0x0100], didconfig=codecs)
    assert data.values == {0xF190: "SIMCORE0123456789", 0x0100: bytes(8)}
    bench.go("ext")
    write = services.WriteDataByIdentifier
    request = write.make_request(0x0110, b"\x12\x34", codecs)
    assert read_back(write, exchange(bench, request)).did_echo == 0x0110
    assert bench.software.written["did"] == b"\x12\x34"


def test_routines(uds_bench: Benches) -> None:
    routine = services.RoutineControl
    bench = uds_bench()
    bench.go("ext")
    for control, option, status in ((1, b"\x07", b"\x00"), (2, None, b""), (3, None, b"\x11\x22")):
        response = exchange(bench, routine.make_request(0x0201, control, option))
        data = read_back(routine, response)
        assert (data.control_type_echo, data.routine_id_echo) == (control, 0x0201)
        assert data.routine_status_record == status


def test_input_and_output_control(uds_bench: Benches) -> None:
    control = services.InputOutputControlByIdentifier
    bench = uds_bench()
    bench.go("ext")
    io = {0x0301: {"codec": RawIo(2)}}
    request = control.make_request(0x0301, 3, values=[b"\x12\x34"], ioconfig=io)
    data = read_back(control, exchange(bench, request), control_param=3, ioconfig=io)
    assert (data.did_echo, data.control_param_echo) == (0x0301, 3)
    assert data.decoded_data == b"\x55\x66"


def test_communication_and_dtc_setting(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    communication = services.CommunicationControl
    kind = udsoncan.CommunicationType(0, normal_msg=True, network_management_msg=True)
    data = read_back(communication, exchange(bench, communication.make_request(3, kind)))
    assert data.control_type_echo == 3
    setting = services.ControlDTCSetting
    assert read_back(setting, exchange(bench, setting.make_request(2))).setting_type_echo == 2


def test_a_download_of_several_blocks(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("prog")
    download, block = services.RequestDownload, services.TransferData
    place = udsoncan.MemoryLocation(0x1000, 20, address_format=32, memorysize_format=32)
    request = download.make_request(place, udsoncan.DataFormatIdentifier())
    size = read_back(download, exchange(bench, request)).max_length - 2
    image = bytes(range(20))
    for number, at in enumerate(range(0, len(image), size), start=1):
        request = block.make_request(number, image[at : at + size])
        data = read_back(block, exchange(bench, request))
        assert data.sequence_number_echo == number
    exit_ = services.RequestTransferExit
    read_back(exit_, exchange(bench, exit_.make_request()))
    assert bench.software.data == image


def test_an_upload(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("prog")
    upload = services.RequestUpload
    place = udsoncan.MemoryLocation(0x9000, 4, address_format=16, memorysize_format=8)
    assert read_back(upload, exchange(bench, upload.make_request(place))).max_length == 10
    data = read_back(services.TransferData, exchange(bench, services.TransferData.make_request(1)))
    assert data.parameter_records == bytes(range(4))


def test_authentication_by_certificate(uds_bench: Benches, uds_keys: dict[str, SigningKey]) -> None:
    auth = services.Authentication
    task, value = auth.AuthenticationTask, services.Authentication
    bench = uds_bench()
    request = auth.make_request(
        task.verifyCertificateUnidirectional,
        communication_configuration=0,
        certificate_client=bench.certificate(),
        challenge_client=b"",
    )
    data = read_back(auth, exchange(bench, request))
    assert data.return_value == 0x11
    assert len(data.challenge_server) == 32
    assert data.ephemeral_public_key_server == b""
    request = auth.make_request(
        task.proofOfOwnership,
        proof_of_ownership_client=uds_keys["tester"].sign(data.challenge_server),
        ephemeral_public_key_client=b"",
    )
    data = read_back(value, exchange(bench, request))
    assert (data.return_value, data.session_key_info) == (0x12, b"")
    request = auth.make_request(
        task.transmitCertificate, certificate_evaluation_id=1, certificate_data=bench.certificate()
    )
    assert read_back(auth, exchange(bench, request)).return_value == 0x13
    for asked, answer in ((task.authenticationConfiguration, 0x02), (task.deAuthenticate, 0x10)):
        assert read_back(auth, exchange(bench, auth.make_request(asked))).return_value == answer


def test_authentication_by_challenge_and_response(
    uds_bench: Benches, uds_keys: dict[str, SigningKey]
) -> None:
    auth = services.Authentication
    bench = uds_bench()
    request = auth.make_request(
        auth.AuthenticationTask.requestChallengeForAuthentication,
        communication_configuration=0,
        algorithm_indicator=P256_INDICATOR,
    )
    data = read_back(auth, exchange(bench, request))
    assert data.algorithm_indicator == P256_INDICATOR
    assert data.needed_additional_parameter == b""
    request = auth.make_request(
        auth.AuthenticationTask.verifyProofOfOwnershipUnidirectional,
        algorithm_indicator=P256_INDICATOR,
        proof_of_ownership_client=uds_keys["known"].sign(data.challenge_server),
        challenge_client=b"",
        additional_parameter=b"",
    )
    data = read_back(auth, exchange(bench, request))
    assert (data.return_value, data.session_key_info) == (0x12, b"")
    assert bench.server.authenticated_role == "factory"


def test_every_refusal_code_has_the_number_that_udsoncan_knows() -> None:
    known = {
        value: _plain(name) for name, value in vars(ResponseCode).items() if type(value) is int
    }
    assert {int(nrc) for nrc in Nrc} <= set(known)
    # Codes that udsoncan spells otherwise: it adds words to 0x50..0x57, 0x5B, 0x78, and 0x36.
    for nrc in Nrc:
        if not (0x50 <= nrc <= 0x5B or nrc in (0x36, 0x78)):
            assert known[nrc] == _plain(nrc.name), nrc


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


NEGATIVE = [
    ("def", "10 02"),
    ("ext", "27 02 00"),
    ("ext", "2e 01 11 00"),
    ("def", "29 03"),
    ("prog", "36 01 00"),
    ("def", "22 01 04"),
]


@pytest.mark.parametrize(("place", "request_hex"), NEGATIVE)
def test_refusals_are_such_as_udsoncan_expects_of_the_service(
    uds_bench: Benches, place: str, request_hex: str
) -> None:
    bench = uds_bench()
    bench.go(place)
    response = Response.from_payload(bytes.fromhex(bench.ask(request_hex)))
    assert response.valid and not response.positive
    always = {Nrc.SUB_FUNCTION_NOT_SUPPORTED_IN_ACTIVE_SESSION}
    assert response.code in always or response.service.is_supported_negative_response(response.code)
