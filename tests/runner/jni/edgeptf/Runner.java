package edgeptf;

import java.io.PrintStream;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.List;

/**
 * The natives of the Android example's Runner.kt, called by a desktop's Java: a class of Kotlin and one of Java have the
 * same names in JNI.
 *
 * <pre>Runner FILE OFFSET LENGTH TEXT...</pre> maps a part of a file, as an asset lies in an app, and answers.
 */
final class Runner {
    private native long nativeOpen(ByteBuffer content, int threads);
    private native void nativeClose(long handle);
    private native void nativeAsk(long handle, byte[] text);
    private native double nativeScore(long handle);
    private native int nativeItemCount(long handle);
    private native byte[] nativeItemLabel(long handle, int index);
    private native double nativeItemScore(long handle, int index);
    private native int nativeItemFlags(long handle, int index);
    private native int nativeItemBegin(long handle, int index);
    private native int nativeItemEnd(long handle, int index);

    public static void main(String[] arguments) throws Exception {
        System.loadLibrary("edge_ptf_jni");
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        Runner runner = new Runner();
        try (RandomAccessFile file = new RandomAccessFile(arguments[0], "r")) {
            long offset = Long.parseLong(arguments[1]), length = Long.parseLong(arguments[2]);
            ByteBuffer content = file.getChannel().map(FileChannel.MapMode.READ_ONLY, offset, length);
            runner.refusals(out, content);
            long handle = runner.nativeOpen(content, 1);
            for (int i = 3; i < arguments.length; ++i) {
                out.println(runner.answer(handle, arguments[i].getBytes("UTF-8")));
            }
            runner.nativeClose(handle);
        }
    }

    private String answer(long handle, byte[] text) throws Exception {
        nativeAsk(handle, text);
        List<String> items = new ArrayList<>();
        int flags = 0;
        for (int i = 0; i < nativeItemCount(handle); ++i) {
            flags = nativeItemFlags(handle, i);
            int begin = nativeItemBegin(handle, i), end = nativeItemEnd(handle, i);
            String words = (flags & 2) == 0 ? "" : new String(text, begin, end - begin, "UTF-8") + "=";
            String label = new String(nativeItemLabel(handle, i), "UTF-8");
            items.add(String.format("%s=%s%.6f", label, words, nativeItemScore(handle, i)));
        }
        return String.format("%.6f\t%b\t%s", nativeScore(handle), (flags & 1) != 0, String.join(", ", items));
    }

    /** What is refused becomes an exception, not a crash. */
    private void refusals(PrintStream out, ByteBuffer content) {
        ByteBuffer cut = content.duplicate();
        cut.limit(100);
        for (ByteBuffer bad : new ByteBuffer[] {ByteBuffer.allocate(10), cut.slice()}) {
            try {
                nativeOpen(bad, 1);
                out.println("opened");
            } catch (IllegalArgumentException error) {
                out.println(error.getMessage());
            }
        }
        try {
            nativeOpen(content, 1000);
            out.println("opened");
        } catch (IllegalArgumentException error) {
            out.println(error.getMessage());
        }
    }
}
