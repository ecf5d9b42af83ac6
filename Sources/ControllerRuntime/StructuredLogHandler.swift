import Concurrency
import JSON
import KubernetesModel
import Logging

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Writes one line per message, as text for people or as JSON for machines. A line says what its ``LogScope`` says too.
public struct StructuredLogHandler: LogHandler {
    /// How a line is written.
    public enum Format: String, Sendable, Hashable, CaseIterable {
        /// `2026-11-22T21:36:08.123456Z info  reconciled key=ml/wine generation=3`
        case text
        /// `{"time":…,"level":"info","msg":"reconciled","key":"ml/wine",…}`
        case json
    }

    /// What every line of this logger says.
    public var metadata: Logger.Metadata = [:]
    /// Asked for each line.
    public var metadataProvider: Logger.MetadataProvider?
    /// What is less severe is not written.
    public var logLevel: Logger.Level
    private let label: String
    private let format: Format
    private let time: any TimeSource
    private let output: @Sendable ([UInt8]) -> Void

    /// - Parameters:
    ///   - label: names the logger; JSON says it.
    ///   - format: how a line is written.
    ///   - level: what is less severe is not written.
    ///   - time: tells the time; a test gives one that it moves itself.
    ///   - output: takes a whole line with its end; standard error unless told otherwise.
    public init(
        label: String, format: Format = .text, level: Logger.Level = .info, time: any TimeSource = SystemTime(),
        output: @escaping @Sendable ([UInt8]) -> Void = StructuredLogHandler.writeToStandardError
    ) {
        self.label = label
        self.format = format
        self.time = time
        self.output = output
        logLevel = level
    }

    /// A value that every line of this logger says.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one line. Of equal keys the message's wins, then the logger's, then the provider's, then the scope's.
    public func log(event: LogEvent) {
        var merged = LogScope.metadata
        if let provided = metadataProvider?.get() { merged.merge(provided) { $1 } }
        merged.merge(metadata) { $1 }
        if let extra = event.metadata { merged.merge(extra) { $1 } }
        if let error = event.error { merged["error"] = merged["error"] ?? "\(error)" }
        let now = Timestamp(sinceEpoch: time.wallNow()).microTime
        var line: [UInt8]
        switch format {
        case .json: line = json(event, merged, now)
        case .text: line = text(event, merged, now)
        }
        line.append(UInt8(ascii: "\n"))
        output(line)
    }

    private func json(_ event: LogEvent, _ metadata: Logger.Metadata, _ now: String) -> [UInt8] {
        var members: [(String, JSONValue)] = [
            ("time", .string(now)), ("level", .string(event.level.rawValue)), ("logger", .string(label)),
            ("msg", .string(event.message.description)),
        ]
        let reserved = Set(members.map(\.0))
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            members.append((reserved.contains(key) ? "metadata.\(key)" : key, Self.value(value)))
        }
        // Not a JSONObject, which would sort the time away from the front.
        let text = members.map { "\(JSONValue.string($0.0).serialized()):\($0.1.serialized())" }
        return Array("{\(text.joined(separator: ","))}".utf8)
    }

    private static func value(_ value: Logger.Metadata.Value) -> JSONValue {
        switch value {
        case .string(let text): .string(text)
        case .stringConvertible(let convertible): .string(convertible.description)
        case .array(let elements): .array(elements.map(Self.value))
        case .dictionary(let members): .object(JSONObject(members.map { ($0.key, Self.value($0.value)) }))
        }
    }

    private func text(_ event: LogEvent, _ metadata: Logger.Metadata, _ now: String) -> [UInt8] {
        let level = event.level.rawValue
        let padding = String(repeating: " ", count: max(0, 8 - level.count))
        var line = "\(now) \(level)\(padding) \(Self.oneLine(event.message.description))"
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(Self.quoted(value))" }
        return Array(line.utf8)
    }

    /// Text from outside must not be able to forge a line of its own or to steer a terminal.
    private static func oneLine(_ text: String) -> String {
        if text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) { return text }
        return String(JSONValue.string(text).serialized().dropFirst().dropLast())
            .replacingDelete()
    }

    private static func quoted(_ value: Logger.Metadata.Value) -> String {
        let text = value.description
        let isPlain =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy {
                $0.value > 0x20 && $0.value != 0x7F && $0 != "\"" && $0 != "=" && $0 != "\\"
            }
        return isPlain ? text : JSONValue.string(text).serialized().replacingDelete()
    }

    /// One `write` per line, so that lines of several threads do not mix.
    public static func writeToStandardError(_ line: [UInt8]) {
        line.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while let address = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
                let written = write(STDERR_FILENO, address, rest.count)
                if written > 0 {
                    rest = rest.dropFirst(written)
                } else if written == 0 || errno != EINTR {
                    // There is nowhere left to say it.
                    return
                }
            }
        }
    }
}

extension String {
    /// DEL is a control character that JSON does not escape.
    fileprivate func replacingDelete() -> String {
        var result = ""
        for scalar in unicodeScalars {
            if scalar.value == 0x7F { result += "\\u007f" } else { result.unicodeScalars.append(scalar) }
        }
        return result
    }
}
