import Foundation

/// How a bundle's golden.jsonl was answered.
public struct GoldenReport: Sendable {
    /// What differs, one line each; none means that this device answers as the bundle's maker did.
    public var problems: [String] = []
    public var sentences = 0
    public var words = 0
    /// Tags that differ and may: their two best logits stood closer than the tolerance.
    public var flips = 0
    /// Largest difference of a logit.
    public var largest = 0.0
}

/// Answers golden.jsonl again, by the rule of export/golden.py. Throws `BundleError` where it cannot be read.
public func replayGolden(_ file: Data, with tagger: Tagger, tolerance: Double) throws -> GoldenReport {
    try replay(file, GoldenReplay(encoder: tagger.encoder, tagger: tagger, tolerance: tolerance))
}

/// The same without a model: words, offsets, what the model would be given, and how tags become entities.
public func replayGoldenText(_ file: Data, with encoder: WordEncoder) throws -> GoldenReport {
    try replay(file, GoldenReplay(encoder: encoder, tagger: nil, tolerance: 0))
}

private func replay(_ file: Data, _ start: GoldenReplay) throws -> GoldenReport {
    var replay = start
    for line in file.split(separator: UInt8(ascii: "\n")) {
        try Unusable.told(of: "golden.jsonl") { try replay.answer(Json.parse(Array(line))) }
    }
    return replay.report
}

private struct GoldenReplay {
    private static let decimals = 1e-4  // to which the file's logits are rounded
    let encoder: WordEncoder
    let tagger: Tagger?
    let tolerance: Double
    var report = GoldenReport()

    mutating func answer(_ golden: Json) throws {
        guard let text = golden["text"]?.string, let tags = golden["tags"]?.strings,
            let texts = golden["words"]?.strings, let margins = golden["margins"]?.array?.compactMap(\.number),
            let stored = golden["logits"]?.array?.map({ $0.array?.compactMap(\.number) ?? [] }),
            tags.count == margins.count, stored.count <= tags.count
        else { throw Unusable("line \(report.sentences + 1) lacks something") }
        report.sentences += 1
        let words = splitWords(text)
        let given = words.map(\.text)
        guard given.map({ Array($0.utf8) }) == texts.map({ Array($0.utf8) }), words.count == tags.count else {
            return differ("words")
        }
        for (key, unit) in [("utf16", \Word.utf16), ("code_points", \.codePoints), ("bytes", \.bytes)] {
            let found = words.map { [$0[keyPath: unit].lowerBound, $0[keyPath: unit].upperBound] }
            if numbers(golden[key]) != found { differ(key) }
        }
        report.words += words.count
        let windows = encoder.windows(given).map { window in
            [window.inputIds, window.first, window.words, window.keep.map { $0 ? 1 : 0 }]
        }
        let expected = golden["windows"]?.array?.map { window in
            ["ids", "first", "words", "keep"].map { window[$0]?.array?.compactMap(\.int) ?? [] }
        }
        if windows != expected { differ("windows") }
        let entities = group(tags).map { "\($0.type) \($0.words.lowerBound) \($0.words.upperBound)" }
        let listed = golden["entities"]?.array?.map { entity in
            (entity.array ?? []).map { $0.string ?? $0.int.map(String.init) ?? "" }.joined(separator: " ")
        }
        if entities != listed { differ("entities") }
        if let tagger { compare(try tagger.predict(given), tags, stored, margins) }
    }

    private mutating func compare(
        _ found: Prediction, _ tags: [String], _ stored: [[Double]], _ margins: [Double]
    ) {
        for (word, tag) in tags.enumerated() {
            if found.tags[word] != tag {
                report.flips += 1
                if margins[word] >= tolerance { differ("tag of word \(word): \(found.tags[word])") }
            }
            let best = found.logits[word].sorted(by: >)
            let margin = Double(best[0]) - Double(best[1])
            if abs(margin - margins[word]) > 2 * (tolerance + Self.decimals) { differ("margin of word \(word)") }
        }
        for (word, row) in stored.enumerated() {
            for (label, logit) in row.enumerated() where label < found.logits[word].count {
                report.largest = max(report.largest, abs(logit - Double(found.logits[word][label])))
            }
        }
        if report.largest > tolerance + Self.decimals { differ("logits, by \(report.largest)") }
    }

    private func numbers(_ json: Json?) -> [[Int]]? {
        json?.array?.map { $0.array?.compactMap(\.int) ?? [] }
    }

    private mutating func differ(_ what: String) {
        report.problems.append("golden.jsonl:\(report.sentences): other \(what)")
    }
}
