import Concurrency
import JSON
import KubernetesModel
import OpenSSL

/// A program that gives credentials, as a kubeconfig's `exec` describes it (KEP-541).
struct ExecPlugin: Sendable {
    enum Version: String, Sendable, CaseIterable {
        case v1 = "client.authentication.k8s.io/v1"
        case v1beta1 = "client.authentication.k8s.io/v1beta1"
    }

    /// What a program answered.
    struct Answer: Sendable {
        var token: Secret?
        var certificatePEM: [UInt8]?
        var keyPEM: [UInt8]?
        var expires: Timestamp?
    }

    var command: String
    var arguments: [String] = []
    var environment: [String: String] = [:]
    var version: Version
    /// What to do where the program is not there.
    var installHint: String?
    /// The cluster, where the program wants to know of it.
    var cluster: JSONValue?

    static let outputLimit = 1 << 20

    var invocation: CredentialPluginInvocation {
        var spec: JSONValue = ["interactive": false]
        if let cluster { spec["cluster"] = cluster }
        let info: JSONValue = ["apiVersion": .string(version.rawValue), "kind": "ExecCredential", "spec": spec]
        var environment = environment
        environment["KUBERNETES_EXEC_INFO"] = info.serialized()
        return CredentialPluginInvocation(
            command: command, arguments: arguments, environment: environment, outputLimit: Self.outputLimit)
    }

    func failure(_ what: String) -> CredentialError { CredentialError("the credential plugin \(command): \(what)") }

    func failure(_ failure: CredentialPluginFailure) -> CredentialError {
        if failure == .cancelled { return .cancelled }
        guard failure == .notFound, let installHint else { return self.failure("\(failure)") }
        return self.failure("\(failure); \(installHint)")
    }

    /// Reads an `ExecCredential`. Nothing of it stands in an error but the names of its fields.
    func answer(in output: [UInt8]) throws(CredentialError) -> Answer {
        let root: JSONCursor
        do throws(JSONError) {
            root = JSONCursor(try JSONValue(parsing: output))
        } catch {
            throw failure("its output of \(output.count) bytes is no JSON")
        }
        do throws(JSONShapeError) {
            guard try root["kind"].string() == "ExecCredential" else {
                throw root["kind"].failure("must be ExecCredential")
            }
            guard try root["apiVersion"].string() == version.rawValue else {
                throw root["apiVersion"].failure("must be \(version.rawValue), as the kubeconfig says")
            }
            let status = root["status"]
            func text(_ name: String) throws(JSONShapeError) -> String? {
                try status[name].optionalString().flatMap { $0.isEmpty ? nil : $0 }
            }
            let answer = Answer(
                token: try text("token").map(Secret.init),
                certificatePEM: try text("clientCertificateData").map { Array($0.utf8) },
                keyPEM: try text("clientKeyData").map { Array($0.utf8) },
                expires: try status["expirationTimestamp"].optionalTimestamp())
            guard (answer.certificatePEM == nil) == (answer.keyPEM == nil) else {
                throw status.failure("has only one of clientCertificateData and clientKeyData")
            }
            guard answer.token != nil || answer.certificatePEM != nil else {
                throw status.failure("has neither a token nor a client certificate")
            }
            try checkPair(answer, status)
            return answer
        } catch {
            throw failure("its output: \(error)")
        }
    }

    private func checkPair(_ answer: Answer, _ status: JSONCursor) throws(JSONShapeError) {
        do throws(TLSError) {
            try checkTLSMaterial(
                authorityPEM: nil, certificatePEM: answer.certificatePEM, privateKeyPEM: answer.keyPEM)
        } catch {
            throw status.failure("\(error)")
        }
    }
}
