package edgeptf

import java.nio.ByteBuffer

/**
 * The answer of a package to a text.
 *
 * @param items the class of the text, or the entities in it; empty if there are none.
 * @param score the probability of the answer.
 * @param outOfScope the text belongs to no class.
 */
data class Answer(val items: List<Item>, val score: Double, val outOfScope: Boolean)

/** A label, and the part of the text that it is about; [text] is null if it is about the whole text. */
data class Item(val label: String, val text: String?, val score: Double)

/**
 * An open package. Close it after use; later calls throw an exception. Threads may share it, but only one call runs at
 * a time. For parallel answers, give each thread its own Runner with the same [content].
 *
 * @param content a package file mapped into memory (a direct buffer). It must stay mapped while this object exists.
 * @param threads threads of one answer; 0: the setting of the package.
 * @throws IllegalArgumentException the content is not a package that this runner can read.
 */
class Runner(@Suppress("unused") private val content: ByteBuffer, threads: Int = 0) : AutoCloseable {
    private var handle: Long = nativeOpen(content, threads)

    /** Opening and answering take milliseconds: do not call them on the UI thread. */
    @Synchronized
    fun answer(text: String): Answer {
        check(handle != 0L) { "the runner is closed" }
        val bytes = text.toByteArray()
        nativeAsk(handle, bytes)
        var outOfScope = false
        val items = List(nativeItemCount(handle)) { index ->
            val flags = nativeItemFlags(handle, index)
            val begin = nativeItemBegin(handle, index)
            val end = nativeItemEnd(handle, index)
            outOfScope = outOfScope || flags and OUT_OF_SCOPE != 0
            val text = if (flags and HAS_PLACE != 0) String(bytes, begin, end - begin) else null
            Item(String(nativeItemLabel(handle, index)), text, nativeItemScore(handle, index))
        }
        return Answer(items, nativeScore(handle), outOfScope)
    }

    @Synchronized
    override fun close() {
        if (handle != 0L) {
            nativeClose(handle)
            handle = 0L
        }
    }

    // In edge_ptf_jni.cpp. Members, not static: a call in progress keeps this object, and with it the content, alive.
    private external fun nativeOpen(content: ByteBuffer, threads: Int): Long
    private external fun nativeClose(handle: Long)
    private external fun nativeAsk(handle: Long, text: ByteArray)
    private external fun nativeScore(handle: Long): Double
    private external fun nativeItemCount(handle: Long): Int
    private external fun nativeItemLabel(handle: Long, index: Int): ByteArray
    private external fun nativeItemScore(handle: Long, index: Int): Double
    private external fun nativeItemFlags(handle: Long, index: Int): Int
    private external fun nativeItemBegin(handle: Long, index: Int): Int
    private external fun nativeItemEnd(handle: Long, index: Int): Int

    private companion object {
        // edge_ptf_flag of edge_ptf.h
        const val OUT_OF_SCOPE = 1
        const val HAS_PLACE = 2

        init {
            System.loadLibrary("edge_ptf_jni")
        }
    }
}
