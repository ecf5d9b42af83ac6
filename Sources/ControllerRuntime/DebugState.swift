import Concurrency
import JSON
import KubernetesModel

/// What a running process is doing, for a person: the page behind `/debug/state`, as a value. Who serves it is somebody
/// else's matter.
///
/// It names objects and tells errors, so whoever serves it must know who reads. It holds no bodies, headers or
/// credentials, and is bounded: 50 rows for each table, 300 bytes for each text.
public final class DebugState: Sendable {
    /// A part of the page.
    public enum Section: Sendable {
        case facts([(name: String, value: JSONValue)])
        case table(columns: [String], rows: [[JSONValue]])
    }

    private struct State {
        var caches: [@Sendable (Duration) -> [JSONValue]] = []
        var queues: [WorkQueue] = []
        var others: [(name: String, section: @Sendable () -> Section)] = []
    }

    static let rowLimit = 50
    static let textLimit = 300

    private let state = Locked(State())
    private let time: any TimeSource
    private let started: Duration
    private let version: String

    /// - Parameters:
    ///   - version: of the program.
    ///   - time: tells the time; a test gives one that it moves itself.
    public init(version: String, time: any TimeSource = SystemTime()) {
        self.version = version
        self.time = time
        started = time.monotonicNow()
    }

    // MARK: What is told

    /// Adds a section; one of the same name is replaced.
    public func add(_ name: String, _ section: @escaping @Sendable () -> Section) {
        state.withLock { state in
            if let index = state.others.firstIndex(where: { $0.name == name }) {
                state.others[index].section = section
            } else {
                state.others.append((name, section))
            }
        }
    }

    /// Adds a cache and its watch.
    public func addReflector<Object>(_ reflector: Reflector<Object>) {
        state.withLock { state in
            state.caches.append { now in
                let (progress, store) = (reflector.status, reflector.store)
                let quarantined = store.quarantined.count
                return [
                    .string("\(reflector.type)"), .integer(Int64(store.count)), .string(store.observedVersion),
                    .string(store.hasSynced ? progress.phase.rawValue : "first list"),
                    .ago(progress.lastEvent, now), .ago(progress.lastContact, now), .integer(Int64(quarantined)),
                    JSONValue(progress.lastError) ?? .null,
                ]
            }
        }
    }

    /// Adds a work queue: what waits, what is in work and what fails.
    public func addQueue(_ queue: WorkQueue) { state.withLock { $0.queues.append(queue) } }

    /// Adds the latest writes of a client, and how many requests wait.
    public func addRequests(_ log: RequestLog) {
        add("requests that wait for an answer") {
            .table(
                columns: ["method", "count"],
                rows: log.waiting.sorted { $0.key < $1.key }.map { [.string($0.key), .integer(Int64($0.value))] })
        }
        add("latest writes") {
            .table(
                columns: ["at", "method", "path", "result", "took"],
                rows: log.writes.map { write in
                    [
                        .string(write.at.microTime), .string(write.method), .string(write.path),
                        .string(write.result), .seconds(write.took),
                    ]
                })
        }
    }

    /// Adds who leads.
    public func addElector(_ elector: LeaderElector) {
        add("leader election") {
            .facts([
                ("lease", .string("\(elector.lease)")), ("identity", .string(elector.identity)),
                ("isLeader", .bool(elector.isLeader)), ("holder", JSONValue(elector.holder) ?? .null),
                ("lastError", JSONValue(elector.lastError.map { "\($0)" }) ?? .null),
            ])
        }
    }

    /// The sections in the order in which they are read.
    private var sections: [(name: String, section: Section)] {
        let now = time.monotonicNow()
        let state = state.withLock { $0 }
        let process = Section.facts([
            ("version", .string(version)), ("uptime", .seconds(now - started)),
            ("time", .string(Timestamp(sinceEpoch: time.wallNow()).microTime)),
        ])
        let caches = Section.table(
            columns: [
                "kind", "objects", "resourceVersion", "watch", "lastEvent", "lastContact", "unreadable", "lastError",
            ],
            rows: state.caches.map { $0(now) })
        return [("process", process), ("caches", caches)] + queueSections(state.queues)
            + state.others.map { ($0.name, $0.section()) }
    }

    private func queueSections(_ queues: [WorkQueue]) -> [(name: String, section: Section)] {
        let reports = queues.map { (name: $0.name, report: $0.report) }
        let counts: [[JSONValue]] = reports.map { name, report in
            [
                .string(name), .integer(Int64(report.ready)), .integer(Int64(report.delayed)),
                .integer(Int64(report.running.count)), .integer(Int64(report.failing.count)),
                .bool(report.isShutDown),
            ]
        }
        let running: [[JSONValue]] = reports.flatMap { name, report in
            report.running.map { [.string(name), .string("\($0.key)"), .seconds($0.duration)] }
        }
        let failing: [[JSONValue]] = reports.flatMap { name, report in
            report.failing.map { failing in
                [
                    .string(name), .string("\(failing.key)"), .integer(Int64(failing.failures)),
                    failing.next.map(JSONValue.seconds) ?? .null, .string(failing.error),
                ]
            }
        }
        return [
            (
                "queues",
                .table(columns: ["queue", "ready", "delayed", "running", "failing", "isShutDown"], rows: counts)
            ),
            ("in work", .table(columns: ["queue", "key", "for"], rows: running)),
            ("failing", .table(columns: ["queue", "key", "failures", "nextAttempt", "error"], rows: failing)),
        ]
    }

    // MARK: How it is told

    /// The page as JSON: an object of sections, with tables as arrays of objects. Durations are in seconds.
    public var json: JSONValue {
        .object(JSONObject(sections.map { ($0.name, $0.section.json) }))
    }

    /// The page as text.
    public var text: String {
        sections.map { "\($0.name)\n\($0.section.text)" }.joined(separator: "\n")
    }
}

extension DebugState.Section {
    fileprivate var json: JSONValue {
        switch self {
        case .facts(let facts): .object(JSONObject(facts.map { ($0.name, $0.value.bounded) }))
        case .table(let columns, let rows):
            .array(
                rows.prefix(DebugState.rowLimit).map { row in
                    .object(JSONObject(zip(columns, row).map { ($0, $1.bounded) }))
                })
        }
    }

    fileprivate var text: String {
        switch self {
        case .facts(let facts): return facts.map { "  \($0.name): \($0.value.cell)\n" }.joined()
        case .table(_, let rows) where rows.isEmpty: return "  none\n"
        case .table(let columns, let rows):
            let shown = rows.prefix(DebugState.rowLimit).map { $0.map(\.cell) }
            let widths = columns.indices.map { column in
                ([columns] + shown).map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
            }
            let lines = ([columns] + shown).map { row in
                let cells = zip(row, widths).map { $0 + String(repeating: " ", count: max(0, $1 - $0.count)) }
                return "  " + cells.joined(separator: "  ").droppingSpacesAtEnd + "\n"
            }
            let rest = rows.count - shown.count
            return lines.joined() + (rest > 0 ? "  and \(rest) more\n" : "")
        }
    }
}

extension JSONValue {
    /// In seconds, to the millisecond.
    static func seconds(_ duration: Duration) -> JSONValue {
        .number((duration.inSeconds * 1000).rounded() / 1000)
    }

    fileprivate static func ago(_ moment: Duration?, _ now: Duration) -> JSONValue {
        moment.map { .seconds(now - $0) } ?? .null
    }

    fileprivate var bounded: JSONValue {
        guard let text = string else { return self }
        return .string(text.truncated(toUTF8: DebugState.textLimit))
    }

    /// One line of text, in which nothing from outside can steer a terminal or forge a row.
    fileprivate var cell: String {
        if self == .null { return "-" }
        guard let text = bounded.string else { return serialized() }
        if text.isEmpty { return "-" }
        return String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) ? " " : $0 }))
    }
}

extension String {
    fileprivate var droppingSpacesAtEnd: String {
        var end = endIndex
        while end > startIndex, self[index(before: end)] == " " { end = index(before: end) }
        return String(self[..<end])
    }
}
