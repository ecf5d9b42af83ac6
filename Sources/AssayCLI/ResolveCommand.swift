import ArgumentParser
import ArtifactStore
import AssayCore
import CurlTransport
import Files
import HTTPTransport
import JSON
import OpenSSL

/// What runs before a workflow begins: asks registries for the digests of images, and the store for what steps would make.
struct ResolveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve", abstract: "Looks for the results of steps, in a pod of their own.", shouldDisplay: false
    )

    @Option(help: "The store, without a name in it.", transform: ArtifactReference.init) var store: ArtifactReference
    @Option(help: ArgumentHelp("What to look for.", valueName: "json"), transform: Self.request)
    var request: LookupRequest
    @Option(help: "Where files may be written for as long as it runs.") var scratchDirectory: String
    @Option(
        name: .customLong("pull-secret-directory"), parsing: .singleValue,
        help: "A directory with .dockerconfigjson, and ca.crt where one is needed, for registries of images.")
    var pullSecretDirectories: [String] = []
    @Option(help: "The file that the answer is written to.") var report = "/dev/termination-log"
    @OptionGroup var access: StoreAccess

    /// In seconds. A node may reach a registry that pods do not, and a training that waits for its answer only waits.
    private static let patience = 5

    private static func request(_ text: String) throws -> LookupRequest {
        try LookupRequest(json: JSONCursor(try JSONValue(parsing: text)))
    }

    mutating func run() async throws {
        let command = self
        try await endingAsStep { try await command.look() }
    }

    private func look() async throws {
        let place = try access.store(store.place)
        var digests: [String: String] = [:]
        var problem: String?
        for image in request.images {
            do {
                digests[image] = try await digest(of: image)
                print("\(image) is \(digests[image] ?? "")")
            } catch {
                // Without it a step is run, as it would be if nobody had looked.
                problem = problem ?? "\(error)"
                StandardError.say("\(image): \(error)")
            }
        }
        var lookup = Lookup(request, digests: digests, problem: problem)
        while let (key, step) = lookup.next() {
            guard let record = try await find(key, step, in: place) else {
                lookup.missed()
                continue
            }
            print("\(step.name) was made by \(record.run ?? "somebody else")")
            lookup.found(record, of: step, key: key)
        }
        if let key = lookup.runKey, let judged = try await judgement(key, in: place) { lookup.found(judged) }
        try FileSystem.write(lookup.report.json.serialized(), to: report)
    }

    // MARK: Images

    private func digest(of name: String) async throws -> String {
        let image = try RegistryImage(name)
        var failure: (any Error)?
        for directory in pullSecretDirectories {
            guard let credentials = try credentials(for: image.credentialsHost, in: directory) else { continue }
            do { return try await digest(of: image, credentials, directory) } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
        return try await digest(of: image, nil, nil)
    }

    private func credentials(for host: String, in directory: String) throws -> RegistryCredentials? {
        let file = "\(directory)/.dockerconfigjson"
        guard FileSystem.kind(file) != nil else { return nil }
        return try RegistryCredentials(host: host, in: try FileSystem.contents(file))
    }

    private func digest(
        of image: RegistryImage, _ credentials: RegistryCredentials?, _ directory: String?
    ) async throws -> String {
        let file = directory.map { "\($0)/ca.crt" }.flatMap { FileSystem.kind($0) == nil ? nil : $0 }
        let (authority, refuses) = (try file.map { try FileSystem.contents($0) }, access.refuseNodeAddresses)
        let registry = try RegistryStore(
            image.repository, isPlain: access.plainHTTP, rights: .read, credentials: credentials,
            patience: Patience(limit: .seconds(min(access.patience, Self.patience)))
        ) { (server) throws(HTTPTransportError) in
            try CurlTransport(
                TransportConfiguration(
                    server: server, certificateAuthorityPEM: authority, refusesNodeAddresses: refuses))
        }
        return try await registry.imageDigest(image.tag).description
    }

    // MARK: Results

    /// What the store has under the key, else what another training is known to have had; and only if all of it is there.
    private func find(_ key: String, _ step: LookupRequest.Step, in place: any BlobStore) async throws -> StepRecord? {
        if let kept = try await record(key, step, in: place), try await manifests(kept, in: place) != nil {
            return kept
        }
        guard let candidate = step.candidate, let manifests = try await manifests(candidate, in: place) else {
            return nil
        }
        // It was made when nobody knew its key. From now on the store does.
        for (output, manifest) in zip(candidate.outputs, manifests) {
            try await place.add(manifest, tag: StepKey.tag(of: output.name, key: key))
        }
        try await place.keep(candidate, key: key, scratch: scratchDirectory)
        return candidate
    }

    private func record(
        _ key: String, _ step: LookupRequest.Step, in place: any BlobStore
    ) async throws(ArtifactError) -> StepRecord? {
        try await place.record(tagged: key, file: StepRecord.fileName, scratch: scratchDirectory)
            .flatMap { StepRecord(text: $0.text, of: step.outputs) }
    }

    /// What was said of the whole when it was judged.
    private func judgement(_ key: String, in place: any BlobStore) async throws(ArtifactError) -> SealedJudgement? {
        guard let found = try await place.record(tagged: key, file: RevisionRecord.fileName, scratch: scratchDirectory)
        else { return nil }
        return RevisionRecord(text: found.text)?.judged(digest: found.digest.description)
    }

    /// Those of its outputs; nil where one is gone.
    private func manifests(
        _ record: StepRecord, in place: any BlobStore
    ) async throws(ArtifactError) -> [ArtifactManifest]? {
        var result: [ArtifactManifest] = []
        for output in record.outputs {
            guard let digest = Digest(output.digest) else { return nil }
            do throws(ArtifactError) {
                let manifest = try await place.manifest(digest)
                // What is about to be used is not removed as something that nobody uses.
                guard try await place.touch(digest) else { return nil }
                result.append(manifest)
            } catch {
                if case .store = error { throw error }
                StandardError.say("\(output.name): \(error)")
                return nil
            }
        }
        return result
    }
}
