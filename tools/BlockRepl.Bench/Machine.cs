using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using BlockRepl.Core.Protocol;
using BlockRepl.Nodes.Measuring;
using BlockRepl.Platform.Digests;

namespace BlockRepl.Bench;

/// <summary>What the machine can do by itself: the limits that the replicated device is compared with.</summary>
internal static class Machine
{
    private const int MessageBytes = 4096;

    /// <summary>The disk under the same patterns, unbuffered, without us.</summary>
    public static Figure[] RawDisk(string folder, long bytes, double seconds)
    {
        string path = Path.Combine(folder, "raw");
        DiskFile.Fill(path, bytes);
        string engine = Nodes.Tool.Run(
            "fio", "--name=probe", "--ioengine=io_uring", "--filename=" + path, "--size=4k", "--rw=read").Succeeded
            ? "io_uring"
            : "libaio";
        Figure[] figures = Workload.All
            .Select(w => Fio.Measure(w, seconds, bytes, "--filename=" + path, "--direct=1", "--ioengine=" + engine))
            .ToArray();
        File.Delete(path);
        return figures;
    }

    /// <summary>Bytes per second of one TCP stream over loopback, in pieces of 128 KiB.</summary>
    public static double TcpThroughput(double seconds)
    {
        (Socket one, Socket two) = Connect();
        using (one)
        using (two)
        {
            byte[] sent = new byte[128 << 10];
            var receiver = new Thread(() => Drain(two));
            receiver.Start();
            var clock = Stopwatch.StartNew();
            long bytes = 0;
            while (clock.Elapsed.TotalSeconds < seconds)
            {
                bytes += one.Send(sent);
            }

            one.Shutdown(SocketShutdown.Send);
            receiver.Join();
            return bytes / clock.Elapsed.TotalSeconds;
        }
    }

    /// <summary>Microseconds for 4 KiB to the other end and 32 bytes back.</summary>
    public static double TcpRoundTrip(double seconds)
    {
        (Socket one, Socket two) = Connect();
        using (one)
        using (two)
        {
            var answerer = new Thread(() => Answer(two));
            answerer.Start();
            byte[] message = new byte[MessageBytes];
            byte[] answer = new byte[32];
            var clock = Stopwatch.StartNew();
            int rounds = 0;
            while (clock.Elapsed.TotalSeconds < seconds)
            {
                one.Send(message);
                ReceiveAll(one, answer);
                rounds++;
            }

            one.Shutdown(SocketShutdown.Send);
            answerer.Join();
            return clock.Elapsed.TotalMicroseconds / rounds;
        }
    }

    /// <summary>Bytes per second of the framework's MD5 on one core, 4 KiB messages one after another.</summary>
    public static double Md5Single(double seconds)
    {
        byte[] message = new byte[MessageBytes];
        Span<byte> digest = stackalloc byte[MD5.HashSizeInBytes];
        var clock = Stopwatch.StartNew();
        long bytes = 0;
        while (clock.Elapsed.TotalSeconds < seconds)
        {
            MD5.HashData(message, digest);
            bytes += message.Length;
        }

        return bytes / clock.Elapsed.TotalSeconds;
    }

    /// <summary>Bytes per second of our MD5 on one core, several 4 KiB messages at a time.</summary>
    public static unsafe double Md5Batch(double seconds)
    {
        const int Messages = 16;
        byte* memory = (byte*)NativeMemory.AlignedAlloc(Messages * MessageBytes, 4096);
        byte* digests = (byte*)NativeMemory.AlignedAlloc(Messages * 64, 64);
        NativeMemory.Clear(memory, Messages * MessageBytes);
        using var batch = new DigestBatch(DigestAlgorithm.Md5, Messages);
        var clock = Stopwatch.StartNew();
        long bytes = 0;
        while (clock.Elapsed.TotalSeconds < seconds)
        {
            for (int i = 0; i < Messages; i++)
            {
                batch.Add((nint)(memory + (i * MessageBytes)), MessageBytes, (nint)(digests + (i * 64)));
            }

            batch.Run();
            bytes += Messages * MessageBytes;
        }

        double rate = bytes / clock.Elapsed.TotalSeconds;
        NativeMemory.AlignedFree(memory);
        NativeMemory.AlignedFree(digests);
        return rate;
    }

    private static (Socket One, Socket Two) Connect()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(1);
        var one = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        one.Connect(listener.LocalEndPoint!);
        Socket two = listener.Accept();
        two.NoDelay = true;
        return (one, two);
    }

    private static void Drain(Socket socket)
    {
        byte[] buffer = new byte[1 << 20];
        while (socket.Receive(buffer) > 0)
        {
        }
    }

    private static void Answer(Socket socket)
    {
        byte[] message = new byte[MessageBytes];
        byte[] answer = new byte[32];
        while (ReceiveAll(socket, message))
        {
            socket.Send(answer);
        }
    }

    private static bool ReceiveAll(Socket socket, byte[] buffer)
    {
        int have = 0;
        while (have < buffer.Length)
        {
            int count = socket.Receive(buffer, have, buffer.Length - have, SocketFlags.None);
            if (count == 0)
            {
                return false;
            }

            have += count;
        }

        return true;
    }
}

/// <summary>Files that stand for disks.</summary>
internal static class DiskFile
{
    /// <summary>
    /// Writes every block once: the first write to a hole costs an allocation, which is not what is measured.
    /// </summary>
    public static void Fill(string path, long bytes)
    {
        using FileStream file = File.Create(path, 1);
        byte[] zeroes = new byte[4 << 20];
        for (long at = 0; at < bytes; at += zeroes.Length)
        {
            file.Write(zeroes, 0, (int)Math.Min(zeroes.Length, bytes - at));
        }

        file.Flush(flushToDisk: true);
    }
}
