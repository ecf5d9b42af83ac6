import HTTPTransport
import Testing

@testable import KubernetesClient

@Suite struct SecretTests {
    @Test func noDescriptionShowsASecret() {
        let canary = "canary-9f2c"
        let configuration = ClientConfiguration(
            transport: TransportConfiguration(
                server: "https://a", clientKeyPEM: Array(canary.utf8), proxyURL: "http://u:\(canary)@proxy"),
            credentials: .token(canary))
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in ["\(configuration)", String(reflecting: configuration), "\(Credentials.token(canary))", dumped] {
            #expect(!text.contains(canary))
            #expect(!text.contains(Array(canary.utf8).map(String.init).joined(separator: ", ")))
        }
        #expect(Secret(canary).revealed == canary)
    }
}
