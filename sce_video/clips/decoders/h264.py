"""What the units of an H.264 packet say (ITU-T H.264, 7.3.1 and Annex D), without decoding it."""

from collections.abc import Iterator

_SLICES = frozenset({1, 2, 3, 4, 5})
_SEI = 6  # supplemental information, in messages
_USER_DATA = 5  # a message: x264 puts its name and settings there
_END_OF_MESSAGES = b"\x80"


def length_bytes(extradata: bytes | None) -> int:
    """Of how many bytes the length before each unit of a packet is, as mp4 and mkv have them; 0 where it is not said.

    Args:
        extradata: the stream's, AVCDecoderConfigurationRecord.
    """
    return (extradata[4] & 3) + 1 if extradata is not None and len(extradata) > 4 and extradata[0] == 1 else 0


def is_unreferenced(packet: bytes, *, length_bytes: int) -> bool:
    """Whether no other picture is predicted from this one, so that it may be left out without a trace."""
    marks = [head >> 5 & 3 for head, _ in _units(packet, length_bytes) if head & 31 in _SLICES]
    return bool(marks) and not any(marks)


def may_be_turned(packet: bytes, *, length_bytes: int) -> bool:
    """Whether a packet may say how the picture is to be turned: it has any message but the encoder's name."""
    sei = [payload for head, payload in _units(packet, length_bytes) if head & 31 == _SEI]
    return length_bytes == 0 or not all(map(_is_one_name, sei))


def _units(packet: bytes, length_bytes: int) -> Iterator[tuple[int, bytes]]:
    """First byte (mark of references, kind) and payload of each unit; none where lengths are not known."""
    place = 0
    while length_bytes and place + length_bytes < len(packet):
        start = place + length_bytes
        place = start + int.from_bytes(packet[place:start], "big")
        yield packet[start], packet[start + 1 : place]


def _is_one_name(messages: bytes) -> bool:
    """Whether one message of user data is all there is."""
    size, place = 0, 1
    while messages[place : place + 1] == b"\xff":
        size, place = size + 255, place + 1
    size += messages[place] if place < len(messages) else 0
    return messages[:1] == bytes([_USER_DATA]) and messages[place + 1 + size :] == _END_OF_MESSAGES
