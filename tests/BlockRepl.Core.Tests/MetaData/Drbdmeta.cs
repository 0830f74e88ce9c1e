using System.Diagnostics;
using BlockRepl.Core.MetaData;
using Xunit;

namespace BlockRepl.Core.Tests.MetaData;

/// <summary>
/// An image file in a folder of its own that both drbdmeta and our code work on. Sparse; deleted at the end.
/// </summary>
internal sealed class Drbdmeta : IDisposable
{
    private const string Program = "/usr/sbin/drbdmeta";

    /// <summary>
    /// The tool notes the last size of each device; for a file it takes the note of another file for its own.
    /// </summary>
    private const string LastKnownNote = "/var/lib/drbd/drbd-minor--1.lkbd";

    private readonly string _folder = Directory.CreateTempSubdirectory("blockrepl-md-").FullName;

    public Drbdmeta(BackingDisk disk, string index = "internal")
    {
        if (!File.Exists(Program))
        {
            Assert.Skip("drbdmeta of drbd-utils is not installed");
        }

        if (!Environment.IsPrivilegedProcess)
        {
            Assert.Skip("drbdmeta wants to be run by root");
        }

        File.Delete(LastKnownNote);
        Disk = disk;
        Index = index;
        Image = Path.Combine(_folder, "image");
        using FileStream file = File.Create(Image);
        file.SetLength((long)disk.MetaDeviceSectors * 512);
    }

    public BackingDisk Disk { get; }

    public string Index { get; }

    public string Image { get; }

    public (int ExitCode, string Output, string Errors) Run(params string[] command) => Run([], command);

    public (int ExitCode, string Output, string Errors) Run(string[] options, string[] command)
    {
        var start = new ProcessStartInfo(Program)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (string argument in (string[])["--force", .. options, "-", "v08", Image, Index, .. command])
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, errors.GetAwaiter().GetResult());
    }

    public byte[] Read(long offset, int count)
    {
        using FileStream file = File.OpenRead(Image);
        file.Position = offset;
        var bytes = new byte[count];
        file.ReadExactly(bytes);
        return bytes;
    }

    public void Write(IEnumerable<MetaDataStep> steps)
    {
        using FileStream file = File.OpenWrite(Image);
        foreach (MetaDataStep step in steps)
        {
            if (!step.IsFlush)
            {
                file.Position = step.Offset;
                file.Write(step.Data.Span);
            }
        }
    }

    public SuperBlock SuperBlock(out MetaDataLayout layout)
    {
        byte[] block = Read(MetaDataLayout.FindSuperBlock(Disk), 4096);
        MetaDataError error =
            Core.MetaData.SuperBlock.TryDecode(block, Disk, out SuperBlock? superBlock, out MetaDataLayout? found);
        Assert.Equal(MetaDataError.None, error);
        layout = found!;
        return superBlock!;
    }

    /// <summary>Everything that is meta data, in one piece.</summary>
    public byte[] Area(MetaDataLayout layout)
    {
        long start = Math.Min(layout.SuperBlockOffset, layout.BitmapOffset);
        long end = Math.Max(layout.SuperBlockOffset + 4096, layout.BitmapOffset + layout.BitmapBytes);
        return Read(start, (int)(end - start));
    }

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        File.Delete(LastKnownNote);
    }
}
