import JSON

extension Presenter {
    /// The server's Table of some objects, one row each.
    func table(_ entries: [StoredEntry], metadata: JSONValue, withHeaders: Bool) -> JSONValue {
        TablePrinter(resource.definition).table(
            of: entries.map { resource.presented($0.json) }, metadata: metadata,
            include: TablePrinter.IncludedObject(rawValue: includeObject) ?? .metadata, withHeaders: withHeaders,
            now: now)
    }
}
