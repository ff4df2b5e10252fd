package afriberta.edge

/**
 * A unigram model: cuts text into the pieces with the highest sum of scores (Kudo 2018), as Hugging Face's tokenizers
 * do (`encode_optimized` of its models/unigram/model.rs): Viterbi over positions, the first of equal paths wins, and
 * unknown characters in a row are one unknown piece.
 *
 * @param pieces by id; of equal ones the last counts
 */
internal class Unigram(pieces: List<String>, private val scores: DoubleArray, private val unknownId: Int) {
    // Piece ids in the order of their pieces, so that all with one beginning stand side by side.
    private val sortedIds: IntArray
    private val sorted: Array<String>
    private val unknownScore = scores.min() - UNKNOWN_PENALTY

    init {
        val ids = HashMap<String, Int>(pieces.size * 2)
        pieces.forEachIndexed { id, piece -> ids[piece] = id }
        sorted = ids.keys.filter { it.isNotEmpty() }.toTypedArray().apply { sort() }
        sortedIds = IntArray(sorted.size) { ids.getValue(sorted[it]) }
    }

    /** Appends the ids of `text`, which has no lone surrogates, to `into`. */
    fun encode(text: String, into: MutableList<Int>) {
        val best = DoubleArray(text.length + 1) // score of the best path to each position
        val from = IntArray(text.length + 1) { -1 } // where its last piece begins
        val piece = IntArray(text.length + 1) // and its id

        fun offer(start: Int, end: Int, id: Int, score: Double) {
            val total = score + best[start]
            if (from[end] >= 0 && total <= best[end]) return
            best[end] = total
            from[end] = start
            piece[end] = id
        }
        var start = 0
        while (start < text.length) {
            val next = start + Character.charCount(text.codePointAt(start))
            var known = false
            forEachPrefix(text, start) { end, id ->
                offer(start, end, id, scores[id])
                if (end == next) known = true
            }
            if (!known) offer(start, next, unknownId, unknownScore)
            start = next
        }
        val found = ArrayList<Int>()
        var end = text.length
        while (end > 0) {
            if (piece[end] != unknownId || found.lastOrNull() != unknownId) found.add(piece[end])
            end = from[end]
        }
        into.addAll(found.asReversed())
    }

    /** Every piece that `text` has at `start`, the shortest first: where it ends, and its id. */
    private inline fun forEachPrefix(text: String, start: Int, action: (Int, Int) -> Unit) {
        var low = 0
        var high = sorted.size
        for (at in start until text.length) {
            val depth = at - start
            low = firstNotBelow(text[at], depth, low, high)
            high = firstNotBelow(text[at] + 1, depth, low, high)
            if (low == high) return
            if (sorted[low].length == depth + 1) {
                action(at + 1, sortedIds[low])
                low++
            }
        }
    }

    /** First of the pieces `low` until `high`, all longer than `depth`, whose character there isn't below `limit`. */
    private fun firstNotBelow(limit: Char, depth: Int, low: Int, high: Int): Int {
        var from = low
        var to = high
        while (from < to) {
            val middle = (from + to) ushr 1
            if (sorted[middle][depth] < limit) from = middle + 1 else to = middle
        }
        return from
    }

    private companion object {
        const val UNKNOWN_PENALTY = 10.0
    }
}
