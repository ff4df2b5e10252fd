// What the runtime makes of texts, for Python to compare; compiled together with its sources.
//
//     harness compare BUNDLE MAX_LENGTH FILE   mismatches with what Python made of the texts, as compare.js counts
//     harness answer BUNDLE FILE               an answer to each line, as answer.js gives it
//     harness golden BUNDLE                    a report on golden.jsonl
//     harness normalize FILE                   [form, text] in that form, each
//     harness load BUNDLE                      how opening it goes
//     harness time BUNDLE FILE                 milliseconds per text of reading it, without the model
//
// All output is lines of JSON. {"logits": [ids]} asks for a window's logits, to be given as one line on stdin.

import Foundation

func say(_ value: Any) throws {
    let line = try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .fragmentsAllowed])
    FileHandle.standardOutput.write(line + Data("\n".utf8))
}

func lines(of path: String) throws -> [Json] {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    return try data.split(separator: UInt8(ascii: "\n")).map { try Json.parse(Array($0)) }
}

func bundle(_ folder: String) throws -> OpenBundle {
    try OpenBundle(files: { try Data(contentsOf: URL(fileURLWithPath: folder).appendingPathComponent($0)) })
}

func asked(_ inputIds: [Int]) throws -> [Float] {
    try say(["logits": inputIds])
    guard let line = readLine(), let values = try Json.parse(Array(line.utf8)).array else {
        throw Unusable("no logits came")
    }
    return values.compactMap(\.number).map(Float.init)
}

func tagger(_ folder: String) throws -> Tagger {
    try Tagger.load(bundle(folder)) { bundle in
        for name in [bundle.manifest.model] + bundle.manifest.externalData { _ = try bundle.read(name) }
        return asked
    }
}

func encoder(_ folder: String, _ maxLength: Int) throws -> WordEncoder {
    let tokenizer = try Data(contentsOf: URL(fileURLWithPath: folder + "/tokenizer.json"))
    return try WordEncoder(tokenizer: tokenizer, maxLength: maxLength)
}

func ends(_ range: Range<Int>) -> [Int] {
    [range.lowerBound, range.upperBound]
}

func integers(_ json: Json?) -> [Any] {
    (json?.array ?? []).map { $0.int.map { $0 as Any } ?? integers($0) }
}

func answer(_ tagger: Tagger, _ question: Json) throws -> Any {
    if let tags = question["tags"]?.strings {
        let found = group(tags, scores: question["scores"]?.array?.compactMap(\.number))
        return found.map { [$0.type, $0.words.lowerBound, $0.words.upperBound, $0.score] as [Any] }
    }
    if let text = question["text"]?.string {
        return try tagger.tag(text).map { entity in
            [
                "type": entity.type, "text": entity.text, "score": entity.score, "utf16": ends(entity.utf16),
                "codePoints": ends(entity.codePoints), "bytes": ends(entity.bytes),
                "slice": String(text[entity.range(in: text)]),
            ] as [String: Any]
        }
    }
    let found = try tagger.predict(question["words"]?.strings ?? [])
    return ["tags": found.tags, "scores": found.scores]
}

/// Reads texts and holds them against tests/export/runtime/hard_texts.py's `as_read`.
func compare(_ encoder: WordEncoder, _ lines: [Json]) throws {
    var counts = ["texts": 0, "words": 0, "subWords": 0, "offsets": 0, "sentences": 0, "ids": 0]
    var examples: [Any] = []
    for line in lines {
        let text = line["text"]?.string ?? ""
        let words = splitWords(text)
        let given = line["given"]?.strings ?? words.map(\.text)
        let windows = encoder.windows(given)
        let found: [(String, String, [Any])] = [
            ("words", "offsets", words.map { ends($0.codePoints) + ends($0.bytes) + ends($0.utf16) }),
            ("sentences", "sentences", splitSentences(text, words).map(\.count)),
            ("windows", "ids", windows.map { [$0.inputIds, $0.first, $0.words, $0.keep.map { $0 ? 1 : 0 }] }),
        ]
        counts["texts"]! += 1
        counts["words"]! += given.count
        counts["subWords"]! += windows.reduce(0) { $0 + $1.inputIds.count - 2 }
        for (what, counter, value) in found where "\(value)" != "\(integers(line[what]))" {
            counts[counter]! += 1
            let shown = text.unicodeScalars.prefix(60).map { $0.escaped(asASCII: true) }.joined()
            let values = ["\(value)", "\(integers(line[what]))"].map { String($0.prefix(300)) }
            if examples.count < 5 { examples.append([what, shown] + values) }
        }
    }
    var report: [String: Any] = counts
    report["examples"] = examples
    try say(report)
}

func report(_ found: GoldenReport) -> [String: Any] {
    [
        "problems": found.problems, "sentences": found.sentences, "words": found.words, "flips": found.flips,
        "largest": found.largest,
    ]
}

func time(_ folder: String, _ path: String) throws {
    let clock = ContinuousClock()
    let texts = try lines(of: path).compactMap(\.string)
    var opened: WordEncoder?
    let opening = try clock.measure { opened = try encoder(folder, 512) }
    var times: [Double] = []
    for _ in 0..<2 {  // in the second one the words are known
        let all = clock.measure {
            for text in texts {
                for sentence in splitSentences(text, splitWords(text)) { _ = opened!.windows(sentence.map(\.text)) }
            }
        }
        times.append(Double(all / .microseconds(1)) / 1000 / Double(texts.count))
    }
    try say(["open": Double(opening / .microseconds(1)) / 1000, "first": times[0], "again": times[1]])
}

let arguments = CommandLine.arguments
switch arguments[1] {
case "compare": try compare(encoder(arguments[2], Int(arguments[3])!), lines(of: arguments[4]))
case "golden":
    let opened = try bundle(arguments[2]).manifest
    let file = try bundle(arguments[2]).read(opened.golden)
    try say(report(replayGolden(file, with: tagger(arguments[2]), tolerance: opened.logitTolerance)))
case "load":
    do {
        _ = try tagger(arguments[2])
        try say("opened")
    } catch let error as BundleError {
        try say(["code": error.code.rawValue, "message": error.localizedDescription, "remedy": error.remedy])
    }
case "normalize":
    for line in try lines(of: arguments[2]).compactMap(\.strings) {
        try say(Composition(Composition.Form(rawValue: line[0])!).apply(line[1]))
    }
case "time": try time(arguments[2], arguments[3])
default:
    let opened = try tagger(arguments[2])
    for question in try lines(of: arguments[3]) { try say(["answer": answer(opened, question)]) }
}
