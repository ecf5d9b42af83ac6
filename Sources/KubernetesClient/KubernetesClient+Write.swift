import HTTPTransport
import JSON
import KubernetesModel

extension KubernetesClient {
    /// Creates an object; its namespace is that of its metadata.
    ///
    /// - Parameter subresource: posts to a subresource of the object named in the metadata, as for `pods/binding`.
    public func create(
        _ type: ResourceType, _ object: JSONValue, subresource: String? = nil, fieldManager: String,
        options: WriteOptions = .init()
    ) async throws(KubernetesError) -> JSONValue {
        let key = Self.key(of: object)
        let operation = Self.operation("create", type, key, subresource)
        var target =
            if subresource == nil {
                try Self.collection(type, key.namespace, operation, needsNamespace: true)
            } else {
                try Self.target(type, key, subresource, operation)
            }
        target.add(options, fieldManager: fieldManager)
        var object = object
        // A subresource takes documents of other kinds, which say so themselves.
        if subresource == nil { Self.fillType(&object, type) }
        return try await write(.post, target, object, contentType: "application/json", operation)
    }

    /// Replaces an object; where its metadata carries a resource version, only that version.
    public func replace(
        _ type: ResourceType, _ object: JSONValue, subresource: String? = nil, fieldManager: String,
        options: WriteOptions = .init()
    ) async throws(KubernetesError) -> JSONValue {
        let key = Self.key(of: object)
        let operation = Self.operation("replace", type, key, subresource)
        var target = try Self.target(type, key, subresource, operation)
        target.add(options, fieldManager: fieldManager)
        var object = object
        if subresource != "scale" { Self.fillType(&object, type) }
        return try await write(.put, target, object, contentType: "application/json", operation)
    }

    /// Server-side apply. `apiVersion`, `kind`, name and namespace are filled in where `object` leaves them out.
    ///
    /// - Parameter force: takes over fields that another manager holds, instead of failing with a conflict.
    public func apply(
        _ type: ResourceType, _ key: ObjectKey, _ object: JSONValue, fieldManager: String, force: Bool = true,
        subresource: String? = nil, options: WriteOptions = .init()
    ) async throws(KubernetesError) -> JSONValue {
        let operation = Self.operation("apply", type, key, subresource)
        var target = try Self.target(type, key, subresource, operation)
        target.add(options, fieldManager: fieldManager)
        target.add("force", force ? "true" : "false")
        var object = object
        if subresource != "scale" { Self.fillType(&object, type) }
        if object["metadata", "name"] == nil { object["metadata", "name"] = .string(key.name) }
        if type.isNamespaced, object["metadata", "namespace"] == nil {
            object["metadata", "namespace"] = JSONValue(key.namespace)
        }
        // JSON is YAML; the server knows the patch by this type.
        return try await write(.patch, target, object, contentType: "application/apply-patch+yaml", operation)
    }

    /// JSON merge patch (RFC 7396).
    public func mergePatch(
        _ type: ResourceType, _ key: ObjectKey, _ patch: JSONValue, subresource: String? = nil, fieldManager: String,
        options: WriteOptions = .init()
    ) async throws(KubernetesError) -> JSONValue {
        let operation = Self.operation("patch", type, key, subresource)
        var target = try Self.target(type, key, subresource, operation)
        target.add(options, fieldManager: fieldManager)
        return try await write(.patch, target, patch, contentType: "application/merge-patch+json", operation)
    }

    /// Deletes an object, or asks for it where finalizers hold it. Returns the object or a `Status`.
    @discardableResult
    public func delete(
        _ type: ResourceType, _ key: ObjectKey, _ options: DeleteOptions = .init()
    ) async throws(KubernetesError) -> JSONValue {
        let operation = Self.operation("delete", type, key, nil)
        let target = try Self.target(type, key, nil, operation)
        return try await write(.delete, target, options.json, contentType: "application/json", operation)
    }

    private func write(
        _ method: HTTPRequest.Method, _ target: RequestTarget, _ body: JSONValue, contentType: String,
        _ operation: String
    ) async throws(KubernetesError) -> JSONValue {
        var request = request(method, target)
        request.headers["Content-Type"] = contentType
        request.body = body.serializedBytes()
        return try await json(Call(request: request, operation: operation, isWrite: true))
    }
}

extension KubernetesClient {
    func request(_ method: HTTPRequest.Method, _ target: RequestTarget) -> HTTPRequest {
        HTTPRequest(method, target.text, delivery: .unary(timeout: Self.callTimeout))
    }

    static func operation(_ verb: String, _ type: ResourceType, _ key: ObjectKey, _ subresource: String?) -> String {
        "\(verb) \(type)\(subresource.map { "/" + $0 } ?? "") \(key)"
    }

    static func operation(_ verb: String, _ type: ResourceType, namespace: String?) -> String {
        "\(verb) \(type)\(namespace.map { " in \($0)" } ?? "")"
    }

    static func target(
        _ type: ResourceType, _ key: ObjectKey, _ subresource: String?, _ operation: String
    ) throws(KubernetesError) -> RequestTarget {
        do throws(InvalidPathSegment) {
            return try RequestTarget(type, namespace: key.namespace, name: key.name, subresource: subresource)
        } catch {
            throw KubernetesError(.configuration("\(error)"), operation: operation)
        }
    }

    static func collection(
        _ type: ResourceType, _ namespace: String?, _ operation: String, needsNamespace: Bool = false
    ) throws(KubernetesError) -> RequestTarget {
        do throws(InvalidPathSegment) {
            if needsNamespace, type.isNamespaced, namespace == nil { throw .missingNamespace(kind: type.kind) }
            return try RequestTarget(type, namespace: namespace)
        } catch {
            throw KubernetesError(.configuration("\(error)"), operation: operation)
        }
    }

    static func key(of object: JSONValue) -> ObjectKey {
        let metadata = object["metadata"]
        let name = metadata?["name"]?.string ?? ""
        let prefix = metadata?["generateName"]?.string
        return ObjectKey(namespace: metadata?["namespace"]?.string, name: name.isEmpty ? prefix ?? "" : name)
    }

    static func fillType(_ object: inout JSONValue, _ type: ResourceType) {
        if object["kind"] == nil { object["kind"] = .string(type.kind) }
        if object["apiVersion"] == nil { object["apiVersion"] = .string(type.apiVersion) }
    }
}
