package edgeptf

import java.nio.ByteBuffer

/** What a package says about a text. [label] is null where the package tags words; [entities] is empty where it classifies. */
data class Answer(val label: String?, val score: Double, val outOfScope: Boolean, val entities: List<Entity>)

/** Some words of the text and what they are. */
data class Entity(val type: String, val text: String, val score: Double)

/**
 * An open package. Close it after use; a call after that throws. Threads may share it, their calls take turns: for
 * answers side by side give each thread a Runner of its own over the same [content].
 *
 * @param content a package file mapped into memory (a direct buffer), which stays mapped as long as this object lives.
 * @param threads of one answer; 0: as the package says.
 * @throws IllegalArgumentException it is no package, or not one for this runner.
 */
class Runner(@Suppress("unused") private val content: ByteBuffer, threads: Int = 0) : AutoCloseable {
    private var handle: Long = nativeOpen(content, threads)

    /** Opening and answering take milliseconds: not for the thread that draws. */
    @Synchronized
    fun answer(text: String): Answer {
        check(handle != 0L) { "the runner is closed" }
        val bytes = text.toByteArray()
        nativeAsk(handle, bytes)
        val entities = List(nativeEntityCount(handle)) { index ->
            val begin = nativeEntityBegin(handle, index)
            val end = nativeEntityEnd(handle, index)
            Entity(String(nativeEntityType(handle, index)), String(bytes, begin, end - begin), nativeEntityScore(handle, index))
        }
        return Answer(nativeLabel(handle)?.let { String(it) }, nativeScore(handle), nativeOutOfScope(handle), entities)
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
    private external fun nativeLabel(handle: Long): ByteArray?
    private external fun nativeScore(handle: Long): Double
    private external fun nativeOutOfScope(handle: Long): Boolean
    private external fun nativeEntityCount(handle: Long): Int
    private external fun nativeEntityType(handle: Long, index: Int): ByteArray
    private external fun nativeEntityBegin(handle: Long, index: Int): Int
    private external fun nativeEntityEnd(handle: Long, index: Int): Int
    private external fun nativeEntityScore(handle: Long, index: Int): Double

    private companion object {
        init {
            System.loadLibrary("edge_ptf_jni")
        }
    }
}
