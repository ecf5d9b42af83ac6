import AssayCore
import JSON
import TestCluster
import Testing
import YAML

/// What our admission policy lets the gateway scale, by the plug-in of Kubernetes' own API server.
@Suite struct AdmissionPolicyTests {
    private static let directory = "manifests/gateway-policy"
    private static let gateway = "system:serviceaccount:assay-system:assay-gateway"

    /// A change of the scale of a Deployment that selects `selector`.
    struct Case: Sendable, CustomTestStringConvertible {
        var what: String
        var user = gateway
        var selector = "\(Label.model)=wine,\(Label.revision)=wine-1"
        /// Absent, as at zero.
        var before: Int?
        var after: Int?
        /// Words of the refusal; nil where it is allowed.
        var refusal: String?

        var testDescription: String { what }

        var request: JSONValue {
            func scale(_ replicas: Int?) -> JSONValue {
                var spec: JSONValue = [:]
                spec["replicas"] = replicas.map { JSONValue($0) }
                return ["spec": spec, "status": ["replicas": 0, "selector": .string(selector)]]
            }
            return [
                "user": .string(user), "namespace": "ml", "name": "wine-1", "object": scale(after),
                "oldObject": scale(before),
            ]
        }
    }

    private static let notOurs = "only the Deployments of models"
    private static let notWaking = "only from 0 to 1"

    static let cases = [
        Case(what: "a model that sleeps is woken", before: 0, after: 1),
        Case(what: "so is one whose zero is left out", after: 1),
        Case(what: "a model is scaled up", before: 1, after: 5, refusal: notWaking),
        Case(what: "a model is woken with many pods", before: 0, after: 5, refusal: notWaking),
        Case(what: "a model is sent to sleep", before: 1, after: 0, refusal: notWaking),
        Case(what: "so is one by leaving the number out", before: 1, refusal: notWaking),
        Case(what: "what is awake is woken", before: 1, after: 1, refusal: notWaking),
        Case(what: "another's Deployment", selector: "app=shop", before: 0, after: 1, refusal: notOurs),
        Case(what: "one without a revision", selector: "\(Label.model)=wine", after: 1, refusal: notOurs),
        Case(what: "one that does not say what it selects", selector: "", after: 1, refusal: notOurs),
        Case(
            what: "one whose labels end like ours",
            selector: "x.\(Label.model)=wine,x.\(Label.revision)=wine-1", after: 1, refusal: notOurs),
        Case(
            what: "one that selects all but a model",
            selector: "\(Label.model)!=wine,\(Label.revision)!=wine-1", after: 1, refusal: notOurs),
        Case(what: "a person scales what is theirs", user: "jane", selector: "app=shop", before: 3, after: 9),
        Case(
            what: "the operator sends a model to sleep", user: "system:serviceaccount:assay-system:assay", before: 1,
            after: 0),
        Case(
            what: "an account of that name elsewhere is somebody else",
            user: "system:serviceaccount:ml:assay-gateway", before: 1, after: 5),
    ]

    @Test(
        .enabled(
            if: AdmissionProgram.built != nil,
            "scripts/crd-server has not built Kubernetes' admission of today"))
    func theGatewayWakesModelsAndScalesNothingElse() async throws {
        let program = try #require(AdmissionProgram.built)
        let answers = try await program.review(Self.cases.map(\.request), policies: "\(Self.directory)/policy.yaml")
        try #require(answers.count == Self.cases.count)
        for (number, expected) in Self.cases.enumerated() {
            let refusal = answers[number]
            if let words = expected.refusal {
                #expect(refusal?.contains(words) == true, "\(expected.what): \(refusal ?? "allowed")")
            } else {
                #expect(refusal == nil, "\(expected.what)")
            }
        }
    }

    /// What the table above cannot tell: that it fails closed, denies, and is about the account that the gateway has.
    @Test(arguments: Rendering.all) func itFailsClosedForTheGatewaysAccount(_ rendering: Rendering) async throws {
        let documents = try await rendering.documents("\(ProgramUnderTest.repository)/\(Self.directory)")
        let policy = try documents.first(kind: "ValidatingAdmissionPolicy")
        let binding = try documents.first(kind: "ValidatingAdmissionPolicyBinding")
        #expect(policy["spec", "failurePolicy"] == "Fail")
        #expect(binding["spec", "validationActions"] == ["Deny"] && binding["spec", "matchResources"] == nil)
        #expect(binding["spec", "policyName"] == policy["metadata", "name"])
        let accounts = try await rendering.documents(GatewayInstallation.overlay).filter {
            $0["kind"] == "ServiceAccount" && $0["metadata", "name"] == "assay-gateway"
        }
        let account = try #require(accounts.first?["metadata"])
        let user =
            "system:serviceaccount:\(account["namespace"]?.string ?? ""):\(account["name"]?.string ?? "")"
        #expect(policy["spec", "matchConditions"]?[0]?["expression"]?.string?.hasSuffix("== \"\(user)\"") == true)
    }
}
