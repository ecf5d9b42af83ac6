import JSON
import KubernetesModel

extension APIServer {
    /// Gives a Service an address from the range of services, or checks the one that it asks for.
    mutating func allocateAddress(_ json: inout JSONValue, _ resource: ServedResource) throws(APIFailure) {
        json["status"] = ["loadBalancer": [:]]
        guard json["spec", "type"]?.string != "ExternalName" else { return }
        let used = Set(entries(.services).compactMap { $0.json["spec", "clusterIP"]?.string })
        let given = json["spec", "clusterIP"]?.string ?? ""
        if given.isEmpty {
            json["spec", "clusterIP"] = .string(try freeAddress(used))
        } else if given != "None", let problem = addressProblem(given) {
            throw .invalid(
                resource.type, json["metadata", "name"]?.string ?? "",
                [.invalid("spec.clusterIPs", .array([.string(given)]), problem)])
        } else if given != "None", used.contains(given) {
            throw .invalid(
                resource.type, json["metadata", "name"]?.string ?? "",
                [
                    .invalid(
                        "spec.clusterIPs", .array([.string(given)]),
                        "failed to allocate IP \(given): provided IP is already allocated")
                ])
        }
        json["spec", "clusterIPs"] = .array([json["spec", "clusterIP"] ?? ""])
        json["spec", "ipFamilies"] = ["IPv4"]
        json["spec", "ipFamilyPolicy"] = "SingleStack"
    }

    private func addressProblem(_ address: String) -> String? {
        guard let range = AddressRange(options.serviceAddresses), let number = AddressRange.number(address) else {
            return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        }
        guard number < range.start || number - range.start >= range.count else { return nil }
        return "failed to allocate IP \(address): the provided IP (\(address)) is not in the valid range. "
            + "The range of valid IPs is \(options.serviceAddresses)"
    }

    private func freeAddress(_ used: Set<String>) throws(APIFailure) -> String {
        if let free = AddressRange(options.serviceAddresses)?.assignable.first(where: { !used.contains($0) }) {
            return free
        }
        throw APIFailure(
            500, "InternalError", "Internal error occurred: range \(options.serviceAddresses) is full or is none")
    }

    /// An update that does not say the address keeps it.
    func keepAddress(_ json: inout JSONValue, _ old: JSONValue) {
        for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] where json["spec", field] == nil {
            json["spec", field] = old["spec", field]
        }
    }
}
