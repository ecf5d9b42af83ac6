import JSON

/// What an operator's watch of a kind has told.
struct PlantedView: Sendable {
    /// By namespace and name.
    var objects: [[String]: JSONValue] = [:]
    /// The list that it began with, for its kind and version.
    var frame: JSONValue = [:]

    static func path(_ object: JSONValue) -> [String] {
        [object["metadata", "namespace"]?.string ?? "", object["metadata", "name"]?.string ?? ""]
    }

    mutating func put(_ object: JSONValue) { objects[Self.path(object)] = object }

    mutating func take(_ event: JSONValue) {
        guard let object = event["object"] else { return }
        if event["type"] == "DELETED" { objects[Self.path(object)] = nil } else { put(object) }
    }

    /// The objects that a target's label selector names.
    func list(_ target: String) -> JSONValue {
        let query = target.split(separator: "?").dropFirst().joined().split(separator: "&")
        let selector = query.first { $0.hasPrefix("labelSelector=") }?.dropFirst("labelSelector=".count) ?? ""
        let text = String(selector).replacing("%2C", with: ",").replacing("%3D", with: "=").replacing("%2F", with: "/")
        let labels = text.split(separator: ",").map { $0.split(separator: "=").map(String.init) }
        let items = objects.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value).filter { object in
            labels.allSatisfy { $0.count != 2 || object["metadata", "labels", $0[0]]?.string == $0[1] }
        }
        var list = frame
        list["items"] = .array(items)
        return list
    }
}
