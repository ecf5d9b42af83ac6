import HTTPTransport
import KubernetesModel
import OpenSSL

extension RegistryStore {
    public func touch(_ digest: Digest) async throws(ArtifactError) -> Bool {
        try await patience.run { () async throws(ArtifactError) in
            let request = HTTPRequest(
                .head, client.target("manifests/\(digest)"), headers: ["Accept": ArtifactManifest.mediaType])
            let response = try await client.send(request)
            if response.status == 404 { return false }
            guard response.status == 200 else { throw await client.failure(request, response) }
            return true
        }
    }

    /// Registries list tags, and neither manifests without one nor blobs.
    public func contents() async throws(ArtifactError) -> [StoredBlob]? { nil }

    public func remove(tag: String, unlessSince time: Timestamp?) async throws(ArtifactError) -> Bool {
        try Tag.check(tag)
        return try await remove(tag, "a tag alone; name the artifact by its digest to remove it with all of its tags")
    }

    public func remove(_ digest: Digest, unlessSince time: Timestamp?) async throws(ArtifactError) -> Bool {
        try await remove(digest.description, "anything; Debian's has storage.delete.enabled for it")
    }

    public func abandonUploads(unlessSince time: Timestamp?) async throws(ArtifactError) -> Int { 0 }

    private func remove(_ reference: String, _ hint: String) async throws(ArtifactError) -> Bool {
        try await patience.run { () async throws(ArtifactError) in
            let request = HTTPRequest(.delete, client.target("manifests/\(reference)"))
            let response = try await client.send(request)
            switch response.status {
            case 202, 200, 204, 404: return true
            case 400, 405:
                guard case .store(let failure) = await client.failure(request, response) else { return false }
                throw .store(
                    StoreFailure("\(failure); \(client.repository.host) does not let anybody remove \(hint)"))
            default: throw await client.failure(request, response)
            }
        }
    }
}
