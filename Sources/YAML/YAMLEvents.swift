internal import CYAML

/// What libyaml reports, in Swift's terms.
struct YAMLEvent {
    enum Kind {
        case streamEnd
        case documentStart
        case documentEnd
        case scalar(YAMLScalar)
        case sequenceStart
        case sequenceEnd
        case mappingStart
        case mappingEnd
        case alias(String)
        /// Nothing to act on: the stream's start.
        case other
    }

    var kind: Kind
    var anchor: String?
    var position: YAMLPosition
}

struct YAMLScalar {
    var text: String
    /// The tag as libyaml gives it, in its long form; nil where none was written.
    var tag: String?
    /// Written without quotes and not as a block.
    var isPlain: Bool
}

/// The one owner of a libyaml parser. It reads from memory that must stay valid while it lives.
struct YAMLEvents: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>

    init(_ bytes: UnsafeBufferPointer<UInt8>) throws(YAMLError) {
        parser = .allocate(capacity: 1)
        guard yaml_parser_initialize(parser) == 1 else {
            parser.deallocate()
            throw YAMLError("out of memory", line: 1, column: 1)
        }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
    }

    mutating func next() throws(YAMLError) -> YAMLEvent {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw failure() }
        defer { yaml_event_delete(&event) }
        let position = YAMLPosition(line: event.start_mark.line + 1, column: event.start_mark.column + 1)
        var anchor: String?
        let kind: YAMLEvent.Kind
        switch event.type {
        case YAML_STREAM_END_EVENT: kind = .streamEnd
        case YAML_DOCUMENT_START_EVENT: kind = .documentStart
        case YAML_DOCUMENT_END_EVENT: kind = .documentEnd
        case YAML_SCALAR_EVENT:
            let scalar = event.data.scalar
            anchor = Self.string(scalar.anchor)
            kind = .scalar(Self.scalar(scalar.value, scalar.length, tag: scalar.tag, style: scalar.style))
        case YAML_SEQUENCE_START_EVENT:
            anchor = Self.string(event.data.sequence_start.anchor)
            kind = .sequenceStart
        case YAML_SEQUENCE_END_EVENT: kind = .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            anchor = Self.string(event.data.mapping_start.anchor)
            kind = .mappingStart
        case YAML_MAPPING_END_EVENT: kind = .mappingEnd
        case YAML_ALIAS_EVENT: kind = .alias(Self.string(event.data.alias.anchor) ?? "")
        default: kind = .other
        }
        return YAMLEvent(kind: kind, anchor: anchor, position: position)
    }

    private static func scalar(
        _ value: UnsafeMutablePointer<UInt8>?, _ length: Int, tag: UnsafeMutablePointer<UInt8>?,
        style: yaml_scalar_style_t
    ) -> YAMLScalar {
        let text = String(decoding: UnsafeBufferPointer(start: value, count: value == nil ? 0 : length), as: UTF8.self)
        return YAMLScalar(text: text, tag: string(tag), isPlain: style == YAML_PLAIN_SCALAR_STYLE)
    }

    private static func string(_ pointer: UnsafeMutablePointer<UInt8>?) -> String? {
        pointer.map { String(cString: $0) }
    }

    private func failure() -> YAMLError {
        let parser = parser.pointee
        var message = parser.problem.map { String(cString: $0) } ?? "the text cannot be read"
        if let context = parser.context { message = "\(String(cString: context)), \(message)" }
        let mark = parser.problem_mark
        return YAMLError(message, line: mark.line + 1, column: mark.column + 1)
    }
}
