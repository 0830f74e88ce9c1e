using BlockRepl.Core;
using BlockRepl.Platform.Storage;
using Mono.Unix.Native;
using Xunit;

namespace BlockRepl.Platform.Tests;

/// <summary>What a successor finds in the record of writes, and when it finds nothing.</summary>
public sealed class WriteRecordFileTests : IDisposable
{
    private const int Slots = 8;
    private static readonly RecordFacts Facts = new(0x1234_5678_9abc_def0, 77, IsExact: true);
    private readonly string _folder = Directory.CreateTempSubdirectory("record-").FullName;

    private string Path => System.IO.Path.Combine(_folder, "r0-0");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Writes_that_were_not_removed_are_found()
    {
        using WriteRecordFile file = Begun();
        file.Put(0, new WriteRange(8, 4096));
        file.Put(3, new WriteRange(ulong.MaxValue >> 9, 128 << 20));
        file.Put(7, new WriteRange(800, 512));
        file.Remove(0);
        SurvivingWrites? found = WriteRecordFile.Read(Path);
        Assert.NotNull(found);
        Assert.Equal(Facts, found.Facts);
        Assert.Equal([new WriteRange(ulong.MaxValue >> 9, 128 << 20), new WriteRange(800, 512)], found.Writes);
    }

    [Fact]
    public void A_successor_finds_them_until_it_begins_its_own()
    {
        using (WriteRecordFile file = Begun())
        {
            file.Put(1, new WriteRange(8, 4096));
        }

        using WriteRecordFile next = WriteRecordFile.Open(Path, Slots);
        next.End();
        Assert.Equal([new WriteRange(8, 4096)], WriteRecordFile.Read(Path)!.Writes);
        next.Begin();
        Assert.Null(WriteRecordFile.Read(Path));
        next.SetFacts(Facts);
        Assert.Empty(WriteRecordFile.Read(Path)!.Writes);
    }

    [Fact]
    public void Nothing_is_found_while_it_is_not_exact_and_after_its_end()
    {
        using WriteRecordFile file = Begun();
        file.SetFacts(Facts with { IsExact = false });
        Assert.Null(WriteRecordFile.Read(Path));
        file.SetFacts(Facts);
        Assert.NotNull(WriteRecordFile.Read(Path));
        file.End();
        Assert.Null(WriteRecordFile.Read(Path));
    }

    [Fact]
    public void More_writes_than_slots_make_it_inexact_until_they_are_done()
    {
        using WriteRecordFile file = Begun();
        file.Put(Slots, new WriteRange(8, 4096));
        file.Put(Slots + 1, new WriteRange(16, 4096));
        file.Remove(Slots);
        file.SetFacts(Facts with { Transaction = 78 });
        Assert.Null(WriteRecordFile.Read(Path));
        file.Remove(Slots + 1);
        Assert.Equal(78u, WriteRecordFile.Read(Path)!.Facts.Transaction);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(8)]
    [InlineData(40)]
    public void Of_another_boot_or_with_a_wrong_head_it_does_not_count(int changedByte)
    {
        Begun().Dispose();
        byte[] bytes = File.ReadAllBytes(Path);
        bytes[changedByte] ^= 1;
        File.WriteAllBytes(Path, bytes);
        Assert.Null(WriteRecordFile.Read(Path));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(63)]
    [InlineData(71)]
    public void A_cut_file_does_not_count(int length)
    {
        Begun().Dispose();
        File.WriteAllBytes(Path, File.ReadAllBytes(Path)[..length]);
        Assert.Null(WriteRecordFile.Read(Path));
        WriteRecordFile.Open(Path, Slots).Dispose();
    }

    [Fact]
    public void A_folder_where_others_write_or_that_is_a_link_is_refused()
    {
        string folder = System.IO.Path.Combine(_folder, "record");
        WriteRecordFile.MakeFolder(folder);
        WriteRecordFile.MakeFolder(folder);
        string link = System.IO.Path.Combine(_folder, "link");
        File.CreateSymbolicLink(link, folder);
        Assert.Contains(link, Assert.Throws<IOException>(() => WriteRecordFile.MakeFolder(link)).Message);
        Syscall.chmod(folder, FilePermissions.S_IRWXU | FilePermissions.S_IWGRP);
        Assert.Contains("remove it", Assert.Throws<IOException>(() => WriteRecordFile.MakeFolder(folder)).Message);
    }

    private WriteRecordFile Begun()
    {
        WriteRecordFile file = WriteRecordFile.Open(Path, Slots);
        file.Begin();
        file.SetFacts(Facts);
        return file;
    }
}
