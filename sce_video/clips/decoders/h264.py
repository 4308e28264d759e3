"""Headers and messages of an H.264 stream (ITU-T H.264, 7.3 and Annex D), without decoding it."""

from collections.abc import Iterable

_SLICES = frozenset({1, 2, 3, 4, 5})
_SEI = 6  # supplemental enhancement information: messages
_SPS = 7  # sequence parameter set: the size, among others
_USER_DATA = 5  # type of the message in which x264 puts its name and settings
_END_OF_MESSAGES = b"\x80"
_MOST_ZEROS = 32  # before a number in Exp-Golomb code (9.1); more are damage


def length_bytes(extradata: bytes | None) -> int:
    """Size in bytes of the length before each unit of a packet, as in mp4 and mkv; 0 if unknown.

    Args:
        extradata: the stream's, AVCDecoderConfigurationRecord.
    """
    return (extradata[4] & 3) + 1 if extradata is not None and len(extradata) > 4 and extradata[0] == 1 else 0


def are_unreferenced(packets: Iterable[bytes | memoryview], *, length_bytes: int) -> list[bool]:
    """Whether no other frame is predicted from that of a packet, so that it need not be decoded; for each packet."""
    marks = [
        [packet[start] >> 5 & 3 for start, _ in _units(packet, length_bytes) if packet[start] & 31 in _SLICES]
        for packet in packets
    ]
    return [bool(each) and not any(each) for each in marks]


def may_change_geometry(packet: bytes, *, length_bytes: int) -> bool:
    """Whether a packet may change the size or rotation, by a header or a message other than the encoder's name."""
    units = [(packet[start] & 31, packet[start + 1 : stop]) for start, stop in _units(packet, length_bytes)]
    return not units or any(kind == _SPS or (kind == _SEI and not _is_encoder_name(content)) for kind, content in units)


def picture_size(record: bytes) -> tuple[int, int] | None:
    """(height, width) of a stream's frames, pixels; None unless it is of the common kind.

    Common: one header, 8-bit YUV 4:2:0, progressive, cropped at most on the right and at the bottom.

    Args:
        record: the stream's AVCDecoderConfigurationRecord.
    """
    if len(record) < 8 or record[0] != 1 or record[5] & 31 != 1:
        return None
    unit = record[8 : 8 + int.from_bytes(record[6:8], "big")]
    if unit[:1] == b"" or unit[0] & 31 != _SPS:
        return None
    try:
        return _size_in_header(_Bits(unit[1:].replace(b"\0\0\3", b"\0\0")))
    except IndexError:  # the header is truncated
        return None


def _size_in_header(bits: "_Bits") -> tuple[int, int] | None:
    profile = bits.number(8)
    bits.number(16)  # constraints, level
    bits.golomb()  # id
    if profile not in (66, 77, 88, 100):
        return None
    if profile == 100:
        is_8_bit_420 = [bits.golomb() for _ in range(3)] == [1, 0, 0]
        bits.number(1)
        if not is_8_bit_420 or bits.number(1):  # scaling matrices follow
            return None
    bits.golomb()  # bits of a frame number
    order = bits.golomb()
    if order not in (0, 2):
        return None
    if order == 0:
        bits.golomb()
    bits.golomb()  # references
    bits.number(1)
    width, height = 16 * (bits.golomb() + 1), 16 * (bits.golomb() + 1)
    if not bits.number(1):  # interlaced
        return None
    bits.number(1)
    left, right, top, bottom = (bits.golomb() for _ in range(4)) if bits.number(1) else (0, 0, 0, 0)
    height, width = height - 2 * bottom, width - 2 * right
    return (height, width) if left == top == 0 and height > 0 and width > 0 else None


class _Bits:
    """Reader of numbers from a sequence of bits; raises IndexError at its end."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._offset = 0

    def number(self, num_bits: int) -> int:
        value = 0
        for _ in range(num_bits):
            value = 2 * value + (self._content[self._offset // 8] >> (7 - self._offset % 8) & 1)
            self._offset += 1
        return value

    def golomb(self) -> int:
        """An unsigned number in Exp-Golomb code."""
        num_zeros = 0
        while not self.number(1):
            num_zeros += 1
            if num_zeros > _MOST_ZEROS:
                raise IndexError(f"a number with more than {_MOST_ZEROS} leading zeros")
        return (1 << num_zeros) - 1 + self.number(num_zeros)


def _units(packet: bytes | memoryview, length_bytes: int) -> list[tuple[int, int]]:
    """[start, stop) of each unit, whose first byte has reference bits and type; none if `length_bytes` is 0."""
    units = []
    offset = 0
    while length_bytes and offset + length_bytes < len(packet):
        start = offset + length_bytes
        offset = start + int.from_bytes(packet[offset:start], "big")
        units.append((start, offset))
    return units


def _is_encoder_name(messages: bytes) -> bool:
    """Whether the only message is one of user data."""
    size, offset = 0, 1
    while messages[offset : offset + 1] == b"\xff":
        size, offset = size + 255, offset + 1
    size += messages[offset] if offset < len(messages) else 0
    return messages[:1] == bytes([_USER_DATA]) and messages[offset + 1 + size :] == _END_OF_MESSAGES
