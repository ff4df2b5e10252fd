package afriberta.edge

/** Half-overlapping ranges of words whose sub-words (`counts`) fit in `room`; each ends beyond the last. */
internal fun windowRanges(counts: IntArray, room: Int): List<IntRange> {
    val ranges = ArrayList<IntRange>()
    var start = 0
    var end = 0
    var used = 0
    while (end < counts.size) {
        while (end < counts.size && used + counts[end] <= room) used += counts[end++]
        ranges.add(start until end)
        if (end < counts.size) {
            // Step back for context, but leave room for the next word, or no window would ever reach it.
            val context = minOf(room / 2, room - counts[end])
            start = end
            used = 0
            while (start > 0 && used + counts[start - 1] <= context) used += counts[--start]
        }
    }
    return ranges
}

/** For each word the number of the window where its nearer cut is farthest away; the text's ends are no cuts. */
internal fun keepers(counts: IntArray, ranges: List<IntRange>): IntArray {
    val before = counts.runningFold(0, Int::plus)
    val best = IntArray(counts.size) { -1 }
    val keeper = IntArray(counts.size)
    ranges.forEachIndexed { number, range ->
        for (word in range) {
            val left = if (range.first > 0) before[word] - before[range.first] else Int.MAX_VALUE
            val right = if (range.last < counts.size - 1) before[range.last + 1] - before[word + 1] else Int.MAX_VALUE
            val context = minOf(left, right)
            if (context > best[word]) {
                best[word] = context
                keeper[word] = number
            }
        }
    }
    return keeper
}
