import HTTPTransport
import JSON
import KubernetesModel

extension KubernetesClient {
    /// As ``list(_:namespace:_:)``, but hands out every item as soon as it has arrived and holds none of them; the list
    /// that it returns has no items.
    ///
    /// An answer that breaks off is not fetched again: the call throws, and what it has handed out is to be dropped.
    ///
    /// - Parameter fields: the members of an item that are wanted, beside `apiVersion` and `kind`; nil for all.
    public func list(
        _ type: ResourceType, namespace: String? = nil, _ options: ListOptions = .init(), fields: JSONFields?,
        each take: (JSONValue) -> Void
    ) async throws(KubernetesError) -> ObjectList {
        var call = try listCall(type, namespace, options)
        // Without a limit, and with a version whatever the limit, all comes in one piece, which waits for its reader.
        if options.limit == nil || options.resourceVersion != nil {
            call.request.delivery = .stream(idleTimeout: Self.callTimeout * 2)
        }
        let response = try await perform(call, retry: retry) {
            (response: HTTPResponse) async throws(HTTPTransportError) in response
        }
        var splitter = ListSplitter()
        var bytes = 0
        while let piece = try await Self.next(response.body, call) {
            bytes += piece.count
            do throws(ListSplitter.Failure) {
                try splitter.push(piece) { text throws(ListSplitter.Failure) in
                    take(try Self.item(text, type, fields))
                }
            } catch {
                throw call.failure(.malformed("items[\(splitter.count)], up to byte \(bytes): \(error.message)"))
            }
        }
        return try Self.rest(of: splitter, bytes, call)
    }

    /// What is around the items.
    private static func rest(
        of splitter: ListSplitter, _ bytes: Int, _ call: Call
    ) throws(KubernetesError) -> ObjectList {
        let answer: JSONValue
        do throws(JSONError) {
            answer = try JSONValue(parsing: splitter.envelope)
        } catch {
            throw call.failure(.malformed("\(bytes) bytes, without the items: \(error)"))
        }
        var list = try listAsWritten(answer, call)
        guard list.items.count == splitter.count else {
            throw call.failure(.malformed("\(list.items.count) items, but \(splitter.count) before"))
        }
        list.items = []
        return list
    }

    private static func next(_ body: HTTPBody, _ call: Call) async throws(KubernetesError) -> [UInt8]? {
        do throws(HTTPTransportError) {
            return try await body.next()
        } catch {
            throw call.failure(.transport(error))
        }
    }

    private static func item(
        _ text: ArraySlice<UInt8>, _ type: ResourceType, _ fields: JSONFields?
    ) throws(ListSplitter.Failure) -> JSONValue {
        do throws(JSONError) {
            var item = try JSONValue(parsing: text, fields: fields)
            fillType(&item, type)
            return item
        } catch {
            throw ListSplitter.Failure("\(error)")
        }
    }
}
