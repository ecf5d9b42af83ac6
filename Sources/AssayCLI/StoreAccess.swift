import ArgumentParser
import ArtifactStore
import CurlTransport
import Files
import FoundationEssentials
import HTTPTransport

/// How the command line reaches stores across the network.
struct StoreAccess: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A file with the registries' users and passwords, as `docker login` writes it; ~/.docker/config.json unless told.",
            valueName: "file"))
    var credentials: String?

    @Option(
        help: ArgumentHelp(
            "The authorities whose certificates are accepted, in PEM; those of the system unless told, or of AWS_CA_BUNDLE for s3://.",
            valueName: "file"))
    var authority: String?

    @Option(
        help: ArgumentHelp(
            "A directory with files .dockerconfigjson, AWS_ACCESS_KEY_ID and the like, and ca.crt where one is needed, in "
                + "place of --credentials, the environment and --authority.", valueName: "dir"))
    var credentialsDirectory: String?

    @Flag(help: "Speak http with the registry or the bucket's endpoint, in the clear.") var plainHTTP = false

    @Flag(help: "The endpoint has a host name for each bucket, BUCKET.HOST, in place of a path.")
    var hostPerBucket = false

    @Flag(
        help:
            "Reach no store at a loopback, link-local or metadata address: for addresses that somebody else has given.")
    var refuseNodeAddresses = false

    @Option(help: ArgumentHelp("How long a store that is away is waited for.", valueName: "seconds"))
    var patience: Int = 60

    func validate() throws {
        guard (0...86_400).contains(patience) else {
            throw ValidationError("--patience: must be between 0 and 86400 seconds, not \(patience)")
        }
    }

    func store(
        _ place: ArtifactReference.Place, rights: RegistryStore.Rights = .write
    ) throws -> any BlobStore {
        switch place {
        case .directory(let path): return DirectoryStore(path, patience: Patience(limit: .seconds(patience)))
        case .registry(let repository):
            let refuses = refuseNodeAddresses
            let trusted = try authorityFile.map { try Self.read($0, "--authority") }
            return try RegistryStore(
                repository, isPlain: plainHTTP, rights: rights, credentials: try credentials(for: repository.host),
                patience: Patience(limit: .seconds(patience))
            ) { (server) throws(HTTPTransportError) in
                try CurlTransport(
                    TransportConfiguration(
                        server: server, certificateAuthorityPEM: trusted, refusesNodeAddresses: refuses))
            }
        case .bucket(let location): return try bucket(location)
        }
    }

    /// Keys, region and endpoint come from where other programs for S3 have them.
    private func bucket(_ location: BucketLocation) throws -> BucketStore {
        let environment = try bucketEnvironment()
        let access = try BucketAccess(
            environment: environment, allowsPlain: plainHTTP, hasHostPerBucket: hostPerBucket)
        var trusted = try authorityFile.map { try Self.read($0, "--authority") }
        if trusted == nil, let path = environment["AWS_CA_BUNDLE"], !path.isEmpty {
            trusted = try Self.read(path, "AWS_CA_BUNDLE")
        }
        let (authority, refuses) = (trusted, refuseNodeAddresses)
        return try BucketStore(location, access: access, patience: Patience(limit: .seconds(patience))) {
            (server, signing) throws(HTTPTransportError) in
            try CurlTransport(
                TransportConfiguration(
                    server: server, certificateAuthorityPEM: authority, refusesNodeAddresses: refuses, signing: signing)
            )
        }
    }

    /// The variables of this process, and over them those that stand in files of the directory, as a Secret is mounted.
    private func bucketEnvironment() throws -> [String: String] {
        var result = ProcessInfo.processInfo.environment
        guard let credentialsDirectory else { return result }
        let names: [String]
        do { names = try FileSystem.entries(credentialsDirectory) } catch {
            throw ValidationError("--credentials-directory: \(error)")
        }
        for name in names where name.hasPrefix("AWS_") && name != "AWS_CA_BUNDLE" {
            let bytes = try Self.read("\(credentialsDirectory)/\(name)", "--credentials-directory")
            // Who makes a Secret from a file often has a line's end in it, and no key has one.
            result[name] = String(String(decoding: bytes, as: UTF8.self).prefix { !$0.isNewline })
        }
        return result
    }

    private var authorityFile: String? {
        let beside = credentialsDirectory.map { "\($0)/ca.crt" }
        return authority ?? beside.flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }
    }

    private func credentials(for host: String) throws -> RegistryCredentials? {
        if let credentials {
            return try RegistryCredentials(host: host, in: try Self.read(credentials, "--credentials"))
        }
        if let credentialsDirectory {
            let file = "\(credentialsDirectory)/.dockerconfigjson"
            guard FileManager.default.fileExists(atPath: file) else { return nil }
            return try RegistryCredentials(host: host, in: try Self.read(file, "--credentials-directory"))
        }
        let environment = ProcessInfo.processInfo.environment
        guard let directory = environment["DOCKER_CONFIG"] ?? environment["HOME"].map({ $0 + "/.docker" }),
            FileManager.default.fileExists(atPath: directory + "/config.json")
        else { return nil }
        return try RegistryCredentials(host: host, in: try Self.read(directory + "/config.json", "credentials"))
    }

    private static func read(_ path: String, _ option: String) throws -> [UInt8] {
        do { return try FileSystem.contents(path) } catch { throw ValidationError("\(option): \(error)") }
    }
}
