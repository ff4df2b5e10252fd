/// A unigram language model (Kudo 2018): a text's most probable cut into pieces, as Hugging Face's `tokenizers`
/// makes it. Pieces are bytes: as Swift strings, canonically equivalent ones would be the same.
struct Unigram {
    private static let unknownPenalty = 10.0

    /// The pieces in order of their bytes, one behind the other, and where each begins; its id and its score.
    private let bytes: [UInt8]
    private let begins: [Int32]
    private let ids: [Int32]
    private let scores: [Double]
    private let unknown: Int32
    private let unknownScore: Double
    private let byteFallback: Bool

    /// Takes the pieces in the order of their ids. Of two that are alike the last one counts.
    init(_ vocabulary: [(piece: String, score: Double)], unknown: Int, byteFallback: Bool) {
        let pieces = vocabulary.map { Array($0.piece.utf8) }
        let order = pieces.indices.sorted { pieces[$0].lexicographicallyPrecedes(pieces[$1]) }
        var (bytes, begins, ids) = ([UInt8](), [Int32](), [Int32]())
        for (rank, index) in order.enumerated() {
            if rank > 0, pieces[order[rank - 1]] == pieces[index] {
                ids[ids.count - 1] = max(ids[ids.count - 1], Int32(index))
                continue
            }
            begins.append(Int32(bytes.count))
            ids.append(Int32(index))
            bytes += pieces[index]
        }
        begins.append(Int32(bytes.count))
        (self.bytes, self.begins, self.ids) = (bytes, begins, ids)
        scores = vocabulary.map(\.score)
        self.unknown = Int32(unknown)
        unknownScore = (scores.min() ?? 0) - Self.unknownPenalty
        self.byteFallback = byteFallback
    }

    /// Ids of the pieces of `text` (UTF-8); characters in a row that no piece holds are one unknown piece.
    func encode(_ text: ArraySlice<UInt8>) -> [Int] {
        let text = Array(text)
        let best = bestPieces(text)
        var found: [Int] = []
        var end = text.count
        while end > 0 {
            var start = Int(best[end].start)
            if best[end].id == unknown {
                while start > 0, best[start].id == unknown { start = Int(best[start].start) }
                found += unknownIds(Array(text[start..<end])).reversed()
            } else {
                found.append(Int(best[end].id))
            }
            end = start
        }
        return found.reversed()
    }

    private struct Node {
        var score = 0.0
        var start: Int32 = -1
        var id: Int32 = -1
    }

    /// For each position at which a character ends, the last piece of the best cut of the text up to there.
    private func bestPieces(_ text: [UInt8]) -> [Node] {
        var best = [Node](repeating: Node(), count: text.count + 1)
        func offer(_ id: Int32, _ score: Double, _ start: Int, _ end: Int) {
            if best[end].start < 0 || score > best[end].score {
                best[end] = Node(score: score, start: Int32(start), id: id)
            }
        }
        var start = 0
        while start < text.count {
            let width = Self.width(text[start])
            var (known, depth) = (false, 0)
            var range = 0..<ids.count
            while start + depth < text.count {
                range = narrowed(range, depth, text[start + depth])
                if range.isEmpty { break }
                depth += 1
                let rank = range.lowerBound
                if length(rank) == depth {
                    offer(ids[rank], scores[Int(ids[rank])] + best[start].score, start, start + depth)
                    known = known || depth == width
                }
            }
            if !known { offer(unknown, unknownScore + best[start].score, start, start + width) }
            start += width
        }
        return best
    }

    /// Of the pieces in `range`, which share their first `depth` bytes, those that go on with `byte`.
    private func narrowed(_ range: Range<Int>, _ depth: Int, _ byte: UInt8) -> Range<Int> {
        func first(_ isPast: (Int) -> Bool) -> Int {
            var (low, high) = (range.lowerBound, range.upperBound)
            while low < high {
                let middle = (low + high) / 2
                if isPast(next(middle, depth)) { high = middle } else { low = middle + 1 }
            }
            return low
        }
        let begin = first { $0 >= Int(byte) }
        guard begin < range.upperBound, next(begin, depth) == Int(byte) else { return begin..<begin }
        return begin..<first { $0 > Int(byte) }
    }

    /// The byte of a piece at `depth`; -1 where it has ended.
    private func next(_ rank: Int, _ depth: Int) -> Int {
        depth < length(rank) ? Int(bytes[Int(begins[rank]) + depth]) : -1
    }

    private func length(_ rank: Int) -> Int {
        Int(begins[rank + 1] - begins[rank])
    }

    /// Id of the piece that is `text`.
    private func id(_ text: [UInt8]) -> Int? {
        var range = 0..<ids.count
        for (depth, byte) in text.enumerated() { range = narrowed(range, depth, byte) }
        return !range.isEmpty && length(range.lowerBound) == text.count ? Int(ids[range.lowerBound]) : nil
    }

    private func unknownIds(_ text: [UInt8]) -> [Int] {
        if let known = id(text) { return [known] }
        let digits = Array("0123456789ABCDEF".utf8)
        let found = text.compactMap { id(Array("<0x".utf8) + [digits[Int($0 >> 4)], digits[Int($0 & 15)], 0x3E]) }
        return byteFallback && found.count == text.count ? found : [Int(unknown)]
    }

    /// Bytes of the UTF-8 character that begins with `lead`.
    private static func width(_ lead: UInt8) -> Int {
        lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
    }
}
