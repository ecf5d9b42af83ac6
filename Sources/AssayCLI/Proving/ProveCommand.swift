import ArgumentParser
import ArtifactStore
import AssayCore
import CurlTransport
import Files
import HTTPTransport
import JSON
import OpenSSL

/// `assay prove --url URL --golden DIRECTORY`
struct ProveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prove",
        abstract: "Tries a model's server: golden records, malformed input, a load run.",
        discussion: """
            Golden records are files of JSON Lines, each line {"path": "/predict", "request": …, "response": …}. It prints what \
            it found, and ends with status 1 where the server does not answer as recorded, or takes malformed requests.

            In a cluster the operator runs it against each candidate, with the records from a store and the report back to it.
            """)

    @Option(help: "Where the server answers, http://HOST:PORT.") var url: String
    @Option(
        help: ArgumentHelp("The directory with the records; with --store an artifact's digest.", valueName: "place"))
    var golden: String
    @Option(help: "How far a number may be from the recorded one; of numbers beyond 1 in parts of them.")
    var tolerance = MLModelSpec.Golden.defaultTolerance
    @Option(help: "Where requests go whose record does not say it.") var path: String?
    @Flag(help: "Send malformed requests too, each of which must be answered with a 4xx.") var malformedInput = false
    @Option(help: "How long latency, throughput and errors are measured, in seconds; not at all unless told.")
    var loadSeconds: Int?
    @Option(help: "How many requests are under way at once then.")
    var loadConcurrency = MLModelSpec.Load.defaultConcurrency
    @Option(help: "How long one answer may take, in seconds.") var timeout = 30
    @Option(help: "The store, without a name in it.", transform: ArtifactReference.init) var store: ArtifactReference?
    @Option(help: .hidden) var scratchDirectory: String?
    @Option(
        help: ArgumentHelp("A file for the result in JSON; with it, what was found is no failure.", valueName: "file"))
    var report: String?
    @OptionGroup var access: StoreAccess

    func validate() throws {
        if store != nil, Digest(golden) == nil || scratchDirectory == nil {
            throw ValidationError("--golden: with --store it must be a digest, and --scratch-directory is required")
        }
        guard tolerance >= 0 else { throw ValidationError("--tolerance: must not be negative") }
        guard (1...600).contains(timeout) else { throw ValidationError("--timeout: must be between 1 and 600") }
        if let loadSeconds, !(1...MLModelSpec.Load.longest).contains(loadSeconds) {
            throw ValidationError("--load-seconds: must be between 1 and \(MLModelSpec.Load.longest)")
        }
        guard (1...MLModelSpec.Load.widest).contains(loadConcurrency) else {
            throw ValidationError("--load-concurrency: must be between 1 and \(MLModelSpec.Load.widest)")
        }
    }

    mutating func run() async throws {
        let command = self
        try await endingAsStep { try await command.prove() }
    }

    private func prove() async throws {
        let directory = try await recordsDirectory()
        let records = try GoldenRecord.read(directory: directory, defaultPath: path)
        let transport: CurlTransport
        do throws(HTTPTransportError) {
            transport = try CurlTransport(TransportConfiguration(server: url))
        } catch { throw ValidationError("--url: \(error)") }
        let prover = CandidateProver(
            records: records, transport: transport, comparison: AnswerComparison(tolerance: tolerance),
            timeout: .seconds(timeout))
        do { try await prover.waitForServer(.seconds(60)) } catch let error as CandidateProver.Unreachable {
            StandardError.say("\(error)")
            throw ExitCode.failure
        }
        var (found, document) = await prove(with: prover)
        print(found.text)
        if let store, let scratchDirectory {
            found.digest = try await keep(document, in: store, scratch: scratchDirectory)
        }
        guard let report else {
            if !found.passed { throw ExitCode.failure }
            return
        }
        document["digest"] = JSONValue(found.digest)
        try FileSystem.write((report == Self.terminationLog ? found.json : document).serialized(), to: report)
    }

    private static let terminationLog = "/dev/termination-log"

    private func recordsDirectory() async throws -> String {
        guard let store, let scratchDirectory, let digest = Digest(golden) else { return golden }
        let directory = "\(scratchDirectory)/golden"
        try FileSystem.remove(directory)
        try await access.store(store.place).fetch(digest, to: directory)
        return directory
    }

    private func keep(_ document: JSONValue, in store: ArtifactReference, scratch: String) async throws -> String {
        let directory = "\(scratch)/report"
        try FileSystem.remove(directory)
        try FileSystem.makeDirectories(directory)
        try FileSystem.write(document.serialized(), to: "\(directory)/report.json")
        return try await access.store(store.place).seal(directory).digest.description
    }

    /// What follows from a failure says nothing more, and is left out.
    private func prove(with prover: CandidateProver) async -> (ProofReport, JSONValue) {
        let differences = await prover.replay()
        var found = ProofReport(
            golden: .init(tried: prover.records.count, failed: differences.count, differences.first))
        var document: JSONValue = ["url": .string(url), "golden": found.golden.json]
        document["golden", "differences"] = JSONValue(differences.prefix(Self.mostShown).map(\.json))
        if malformedInput, found.passed {
            let trials = await prover.sendMalformed()
            let failed = trials.filter { $0.problem != nil }
            found.malformedInput = .init(
                tried: trials.count, failed: failed.count,
                failed.first.map { .init(place: $0.name, message: $0.problem ?? "") })
            document["malformedInput"] = found.malformedInput?.json
            document["malformedInput", "trials"] = JSONValue(trials.map(\.json))
        }
        if let loadSeconds, found.passed {
            let result = await prover.load(for: .seconds(loadSeconds), concurrency: loadConcurrency)
            found.metrics = result.summary.metrics
            if result.differing > 0 {
                found.golden = .init(
                    tried: result.summary.requests, failed: result.differing,
                    result.first.map { .init(place: "\($0.place), asked with others at once", message: $0.message) })
            }
            document["load"] = [
                "seconds": .number(result.summary.seconds), "concurrency": JSONValue(loadConcurrency),
                "requests": JSONValue(result.summary.requests), "errors": JSONValue(result.summary.errors),
                "differing": JSONValue(result.differing),
            ]
            document["metrics"] = found.json["metrics"]
        }
        return (found, document)
    }

    private static let mostShown = 1000
}

extension ProofReport {
    fileprivate var passed: Bool { golden.passed && malformedInput?.passed ?? true }

    fileprivate var text: String {
        var lines = ["golden: \(golden.text("answered as recorded"))"]
        if let malformedInput { lines.append("malformedInput: \(malformedInput.text("refused"))") }
        lines += metrics.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
        return lines.joined(separator: "\n")
    }
}

extension ProofReport.Part {
    fileprivate init(tried: Int, failed: Int, _ first: CandidateProver.Difference?) {
        self.init(tried: tried, failed: failed, message: first.map { "\($0.place): \($0.message)" })
    }

    fileprivate func text(_ wanted: String) -> String {
        "\(tried - failed) of \(tried) \(wanted)" + (message.map { "; \($0)" } ?? "")
    }
}

extension GoldenRecord {
    /// All records of a directory. Links are not followed: what they lead to is not in the artifact.
    static func read(directory: String, defaultPath: String?) throws -> [GoldenRecord] {
        var records: [GoldenRecord] = []
        var bytes = 0
        for name in try FileSystem.entries(directory).sorted() where isRecords(name) {
            let file = "\(directory)/\(name)"
            guard FileSystem.kind(file, followingLinks: false) == .file else { continue }
            bytes += Int(try FileSystem.size(file))
            guard bytes <= mostBytes else {
                throw UnexpectedData(problems: ["golden records have more than \(mostBytes) bytes"])
            }
            do throws(GoldenRecord.Problem) {
                records += try read(try Self.contents(file), file: name, defaultPath: defaultPath)
            } catch { throw UnexpectedData(problems: [error.description]) }
        }
        guard !records.isEmpty, records.count <= most else {
            let problem =
                records.isEmpty ? "no golden record, in no file that ends with .jsonl" : "more than \(most) records"
            throw UnexpectedData(problems: [problem])
        }
        return records
    }

    private static func contents(_ file: String) throws(GoldenRecord.Problem) -> [UInt8] {
        do { return try FileSystem.contents(file) } catch { throw Problem(description: "\(error)") }
    }
}
