/// Writes the wire format of Protocol Buffers, as far as the OpenAPI v2 document needs it.
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    private mutating func variableLength(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func string(_ field: UInt64, _ value: String?) {
        guard let value, !value.isEmpty else { return }
        variableLength(field << 3 | 2)
        variableLength(UInt64(value.utf8.count))
        bytes += value.utf8
    }

    mutating func bool(_ field: UInt64, _ value: Bool) {
        guard value else { return }
        variableLength(field << 3)
        variableLength(1)
    }

    /// A message; written even when it is empty, since its presence may say something.
    mutating func message(_ field: UInt64, _ write: (inout ProtobufWriter) -> Void) {
        var inner = ProtobufWriter()
        write(&inner)
        variableLength(field << 3 | 2)
        variableLength(UInt64(inner.bytes.count))
        bytes += inner.bytes
    }
}
