import HTTPTransport
import JSON
import KubernetesModel

extension KubernetesClient {
    /// Objects per page of ``listAll(_:namespace:_:)``, as kubectl asks for.
    static let pageSize = 500

    /// Reads one object.
    public func get(
        _ type: ResourceType, _ key: ObjectKey, subresource: String? = nil
    ) async throws(KubernetesError) -> JSONValue {
        let operation = Self.operation("get", type, key, subresource)
        let target = try Self.target(type, key, subresource, operation)
        return try await json(
            Call(request: request(.get, target), operation: operation, isWrite: false))
    }

    /// Reads the metadata of one object alone: nothing else of it leaves the server.
    public func metadata(_ type: ResourceType, _ key: ObjectKey) async throws(KubernetesError) -> JSONValue {
        let operation = Self.operation("get the metadata of", type, key, nil)
        let target = try Self.target(type, key, nil, operation)
        var request = request(.get, target)
        request.headers["Accept"] = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
        let call = Call(request: request, operation: operation, isWrite: false)
        let answer = try await json(call)
        guard let metadata = answer["metadata"], metadata.object != nil else {
            throw call.failure(.malformed("an object without metadata"))
        }
        return metadata
    }

    /// One page, or all there is where `limit` is nil.
    public func list(
        _ type: ResourceType, namespace: String? = nil, _ options: ListOptions = .init()
    ) async throws(KubernetesError) -> ObjectList {
        let call = try listCall(type, namespace, options)
        return try Self.objectList(try await json(call), of: type, call)
    }

    func listCall(
        _ type: ResourceType, _ namespace: String?, _ options: ListOptions
    ) throws(KubernetesError) -> Call {
        let operation = Self.operation("list", type, namespace: namespace)
        var target = try Self.collection(type, namespace, operation)
        target.add("labelSelector", options.labelSelector)
        target.add("fieldSelector", options.fieldSelector)
        target.add("limit", options.limit.map(String.init))
        target.add("continue", options.continueToken)
        // The server refuses a resource version beside a continue token, which has one inside.
        if options.continueToken == nil {
            target.add("resourceVersion", options.resourceVersion)
            target.add("resourceVersionMatch", options.resourceVersionMatch)
        }
        var request = request(.get, target)
        request.delivery = .unary(timeout: Self.callTimeout * 2)
        return Call(request: request, operation: operation, isWrite: false)
    }

    /// All pages. A continue token that expires begins the list again, once in pages and then in one piece, which
    /// cannot expire.
    public func listAll(
        _ type: ResourceType, namespace: String? = nil, _ options: ListOptions = .init()
    ) async throws(KubernetesError) -> ObjectList {
        for limit in [options.limit ?? Self.pageSize, options.limit ?? Self.pageSize, nil] {
            var page = options
            page.limit = limit
            page.continueToken = nil
            do throws(KubernetesError) {
                return try await allPages(type, namespace: namespace, page)
            } catch {
                guard error.isExpired, limit != nil else { throw error }
            }
        }
        // Not reached: the last round returns or throws.
        return ObjectList(resourceVersion: "", items: [])
    }

    private func allPages(
        _ type: ResourceType, namespace: String?, _ options: ListOptions
    ) async throws(KubernetesError) -> ObjectList {
        var options = options
        var result = try await list(type, namespace: namespace, options)
        while let token = result.continueToken {
            options.continueToken = token
            let page = try await list(type, namespace: namespace, options)
            result.items += page.items
            result.resourceVersion = page.resourceVersion
            result.continueToken = page.continueToken
        }
        return result
    }

    /// The version that the server says it is.
    public func serverVersion() async throws(KubernetesError) -> ServerVersion {
        let call = Call(
            request: request(.get, RequestTarget(path: "/version")), operation: "get the server's version",
            isWrite: false)
        let answer = try await json(call)
        guard let version = ServerVersion(json: answer) else {
            throw call.failure(.malformed("no version in \(answer.serialized().prefix(200))"))
        }
        return version
    }

    /// Whether the server has this kind in this version; asks once.
    public func serves(_ type: ResourceType) async throws(KubernetesError) -> Bool {
        let path = type.group.isEmpty ? "/api/\(type.version)" : "/apis/\(type.apiVersion)"
        let call = Call(
            request: request(.get, RequestTarget(path: path)), operation: "discover \(type.apiVersion)", isWrite: false)
        do throws(KubernetesError) {
            let answer = try await json(call)
            return (answer["resources"]?.array ?? []).contains { $0["name"]?.string == type.plural }
        } catch {
            if error.isNotFound { return false }
            throw error
        }
    }

    private static func objectList(
        _ answer: JSONValue, of type: ResourceType, _ call: Call
    ) throws(KubernetesError) -> ObjectList {
        var list = try listAsWritten(answer, call)
        for index in list.items.indices {
            guard list.items[index].object != nil else {
                throw call.failure(.malformed("items[\(index)] is of type \(list.items[index].typeName)"))
            }
            fillType(&list.items[index], type)
        }
        return list
    }

    /// A list whose items nobody has looked at yet.
    static func listAsWritten(_ answer: JSONValue, _ call: Call) throws(KubernetesError) -> ObjectList {
        guard let version = answer["metadata", "resourceVersion"]?.string else {
            throw call.failure(.malformed("a list without metadata.resourceVersion"))
        }
        // Go writes an empty slice as null.
        let elements = answer["items"] ?? .null
        guard let items = elements.isNull ? [] : elements.array else {
            throw call.failure(.malformed("items is of type \(elements.typeName)"))
        }
        let token = answer["metadata", "continue"]?.string ?? ""
        return ObjectList(resourceVersion: version, items: items, continueToken: token.isEmpty ? nil : token)
    }
}
