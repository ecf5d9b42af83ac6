import JSON
import KubernetesModel

extension APIServer {
    /// The admission plugin OwnerReferencesPermissionEnforcement: whoever changes an object's owners needs the right to
    /// delete the object, and whoever holds back an owner's deletion the right to set the owner's finalizers.
    func admitOwners(
        _ json: JSONValue, old: JSONValue?, _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) {
        guard options.enforcesOwnerPermissions else { return }
        let owners = json["metadata", "ownerReferences"]?.array ?? []
        let before = old?["metadata", "ownerReferences"]?.array ?? []
        guard owners != before else { return }
        let name = json["metadata", "name"]?.string ?? ""
        func isAllowed(_ verb: String, _ type: ResourceType, _ subresource: String?, _ name: String?) -> Bool {
            self.isAllowed(
                AuthorizationRequest(
                    user: context.user, verb: verb, group: type.group, resource: type.plural, subresource: subresource,
                    namespace: type.isNamespaced ? request.namespace : nil, name: name))
        }
        if old != nil, !isAllowed("delete", request.type, request.subresource, name) {
            throw .forbidden(request.type, name, "cannot set an ownerRef on a resource you can't delete: , <nil>")
        }
        for owner in owners where owner["blockOwnerDeletion"] == true {
            let held = before.contains { $0["uid"] == owner["uid"] && $0["blockOwnerDeletion"] == true }
            guard !held else { continue }
            let (version, kind) = (owner["apiVersion"]?.string ?? "", owner["kind"]?.string ?? "")
            let types = registry.sorted.map(\.type).filter { $0.apiVersion == version && $0.kind == kind }
            guard !types.isEmpty else {
                throw .forbidden(
                    request.type, name,
                    "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion "
                        + "\(version) Kind \(kind): no matches for kind \"\(kind)\" in version \"\(version)\"")
            }
            guard types.allSatisfy({ isAllowed("update", $0, "finalizers", owner["name"]?.string) }) else {
                throw .forbidden(
                    request.type, name,
                    "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers "
                        + "on: , <nil>")
            }
        }
    }
}
