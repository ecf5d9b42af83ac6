import JSON

/// Reads `resource.Quantity` as far as validation and printing need its size.
enum QuantityText {
    private static let suffixes: [String: Double] = [
        "": 1, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
        "Ki": 1024, "Mi": 1_048_576, "Gi": 1_073_741_824, "Ti": 1_099_511_627_776, "Pi": 1_125_899_906_842_624,
        "Ei": 1_152_921_504_606_846_976,
    ]

    static func value(of json: JSONValue) -> Double? {
        if let number = json.double { return number }
        guard let text = json.string else { return nil }
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "+" || $0 == "-") }
        guard let number = Double(String(digits)) else { return nil }
        let suffix = String(text[digits.endIndex...])
        if let factor = suffixes[suffix] { return number * factor }
        guard let exponent = suffix.first, exponent == "e" || exponent == "E", let power = Int(suffix.dropFirst())
        else {
            return nil
        }
        return Double("\(digits)e\(power)")
    }
}
