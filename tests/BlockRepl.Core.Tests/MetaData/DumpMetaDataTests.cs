using System.Globalization;
using BlockRepl.Core.MetaData;
using Xunit;

namespace BlockRepl.Core.Tests.MetaData;

/// <summary>The text of dump-md against what drbdmeta printed.</summary>
public sealed class DumpMetaDataTests
{
    [Theory]
    [InlineData("01-internal-64MiB-fresh", "01-internal-64MiB-fresh.dump-md.txt")]
    [InlineData("02-internal-64MiB-set-gi", "02-internal-64MiB-set-gi.dump-md.txt")]
    [InlineData("03-internal-64MiB-known-bitmap", "03-internal-64MiB-known-bitmap.dump-md.txt")]
    [InlineData("04-flex-external-1MiB", "04-flex-external-1MiB.dump-md.txt")]
    [InlineData("05-indexed-external-index1", "05-indexed-external-index1.dump-md.txt")]
    [InlineData("06-internal-64MiB-crashed-primary-before", "06-internal-64MiB-crashed-primary-before.dump-md.txt")]
    [InlineData("07-internal-1GiB-striped-al-after-apply-al", "07-internal-1GiB-striped-al-after-apply-al.dump-md.txt")]
    [InlineData("10-kernel-crashed-primary", "10-kernel-crashed-primary.before.dump-md.txt")]
    [InlineData("11-kernel-crashed-alone-primary", "11-kernel-crashed-alone-primary.before.dump-md.txt")]
    public void A_dump_is_printed_as_by_drbdmeta_but_with_the_true_flags(string name, string file)
    {
        Golden sample = Golden.Load(name);
        SuperBlock superBlock = sample.SuperBlock(GoldenSampleTests.DiskOf(sample), out MetaDataLayout layout);
        string[] lines =
        [
            .. DumpMetaData.Lines(superBlock, layout, page => sample.Read(layout.BitmapOffset + page * 4096L, 4096)),
        ];
        string flags = string.Create(CultureInfo.InvariantCulture, $"    flags 0x{(uint)superBlock.Flags:X8};");
        Assert.Single(lines, flags);
        Assert.Equal(Expected(file), lines.Select(line => line == flags ? "    flags 0x00000000;" : line));
    }

    /// <summary>
    /// Without the listing of the log, which follows the rest when asked for, and the complaint on top.
    /// </summary>
    private static IEnumerable<string> Expected(string file) =>
        Golden.Text(file).TrimEnd().Split('\n')
            .SkipWhile(line => !line.StartsWith('#'))
            .TakeWhile(line => !line.StartsWith("# al {", StringComparison.Ordinal));
}
