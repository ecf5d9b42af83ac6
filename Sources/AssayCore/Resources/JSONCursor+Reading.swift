import JSON

extension JSONCursor {
    func map<T>(_ read: (JSONCursor) throws(JSONShapeError) -> T) throws(JSONShapeError) -> [T] {
        var result: [T] = []
        for element in try elements() { result.append(try read(element)) }
        return result
    }

    func optionalEnum<T: RawRepresentable & CaseIterable>(
        _ type: T.Type = T.self
    ) throws(JSONShapeError) -> T? where T.RawValue == String {
        guard let text = try optionalString() else { return nil }
        guard let value = T(rawValue: text) else {
            let known = T.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            throw failure("must be one of \(known), not \"\(text)\"")
        }
        return value
    }

    func requiredEnum<T: RawRepresentable & CaseIterable>(
        _ type: T.Type = T.self
    ) throws(JSONShapeError) -> T where T.RawValue == String {
        guard let value: T = try optionalEnum() else { throw failure("is required") }
        return value
    }
}
