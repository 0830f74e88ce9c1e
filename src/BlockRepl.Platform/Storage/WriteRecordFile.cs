using System.Runtime.InteropServices;
using BlockRepl.Core;
using Mono.Unix.Native;

namespace BlockRepl.Platform.Storage;

/// <summary>
/// A volume's record of writes under way, as a mapped file: what was put there is there when the process is killed at
/// the next instruction. It counts only as long as the machine runs that it was made on; the kernel's boot id tells.
/// </summary>
/// <remarks>
/// Layout, native byte order: magic 8, boot id 16, device UUID 8, state 8 (transaction in the upper half, 1 = exact in
/// the lower), number of slots 8, 16 unused; then the slots: sector 8, bytes 4, 1 = in use 4. What belongs together is
/// stored with one instruction. The mapping is our own: the framework's flushes itself when it goes, which the kernel
/// refuses (EBUSY) to a process that has locked its memory.
/// </remarks>
public sealed unsafe class WriteRecordFile : IDisposable
{
    private const ulong Magic = 0x3152_5457_4c50_5242; // "BRPLWTR1"
    private const int BootIdBytes = 16;
    private const int HeadBytes = 64;
    private const int SlotBytes = 16;
    private const ulong InUse = 1UL << 32;

    private static readonly byte[] BootId = Boot.Id.ToByteArray();

    private readonly byte* _base;
    private readonly ulong _length;
    private readonly int _slots;
    private bool _begun;

    /// <summary>Writes under way for which there is no slot: while there are any the record is not exact.</summary>
    private int _unrecorded;
    private RecordFacts _facts;
    private bool _disposed;

    private WriteRecordFile(nint address, ulong length, int slots)
    {
        _base = (byte*)address;
        _length = length;
        _slots = slots;
    }

    private ref ulong State => ref *(ulong*)(_base + 32);

    /// <summary>
    /// Makes the folder for records, where nobody else writes: who could write a record could make us forget a write.
    /// </summary>
    /// <exception cref="IOException">It cannot be made, or somebody else made it.</exception>
    public static void MakeFolder(string folder)
    {
        const FilePermissions others = FilePermissions.S_IWGRP | FilePermissions.S_IWOTH;
        if (Syscall.mkdir(folder, FilePermissions.S_IRWXU) != 0 && Stdlib.GetLastError() != Errno.EEXIST)
        {
            throw new IOException($"{folder}: cannot be made: {Stdlib.GetLastError()}");
        }

        if (Syscall.lstat(folder, out Stat found) != 0
            || (found.st_mode & FilePermissions.S_IFMT) != FilePermissions.S_IFDIR
            || found.st_uid != Syscall.geteuid() || (found.st_mode & others) != 0)
        {
            throw new IOException($"{folder}: is not a folder where only this user writes; remove it.");
        }
    }

    /// <summary>What the process before left at this path; null if there is nothing that can be relied on.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SurvivingWrites? Read(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        byte[] bytes = File.ReadAllBytes(path);
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        bool valid = bytes.Length >= HeadBytes && words[0] == Magic
            && bytes.AsSpan(8, BootIdBytes).SequenceEqual(BootId) && (words[4] & 1) != 0
            && words[5] == (ulong)(bytes.Length - HeadBytes) / SlotBytes;
        if (!valid)
        {
            return null;
        }

        var writes = new List<WriteRange>();
        for (int at = HeadBytes / 8; at + 1 < words.Length; at += SlotBytes / 8)
        {
            if ((words[at + 1] & InUse) != 0)
            {
                writes.Add(new WriteRange(words[at], (int)(uint)words[at + 1]));
            }
        }

        return new SurvivingWrites(new RecordFacts(words[3], (uint)(words[4] >> 32), IsExact: true), writes);
    }

    /// <summary>Opens or makes the file; what is in it stays until <see cref="Begin"/>.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public static WriteRecordFile Open(string path, int slots)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        long length = HeadBytes + ((long)slots * SlotBytes);
        if (File.Exists(path) && new FileInfo(path).Length != length)
        {
            File.Delete(path);
        }

        using FileStream file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.SetLength(length);
        nint address = Syscall.mmap(
            0,
            (ulong)length,
            MmapProts.PROT_READ | MmapProts.PROT_WRITE,
            MmapFlags.MAP_SHARED,
            (int)file.SafeFileHandle.DangerousGetHandle(),
            0);
        return address != Syscall.MAP_FAILED
            ? new WriteRecordFile(address, (ulong)length, slots)
            : throw new IOException($"{path}: cannot be mapped: {Stdlib.GetLastError()}");
    }

    /// <summary>Empties it: it is about what comes now, and exact only when told so.</summary>
    public void Begin()
    {
        Volatile.Write(ref State, 0);
        new Span<byte>(_base + HeadBytes, _slots * SlotBytes).Clear();
        BootId.CopyTo(new Span<byte>(_base + 8, BootIdBytes));
        *(ulong*)(_base + 40) = (ulong)_slots;
        Volatile.Write(ref *(ulong*)_base, Magic);
        _begun = true;
        _unrecorded = 0;
        _facts = default;
    }

    /// <summary>What was begun ended in order: nothing is left for a successor.</summary>
    public void End()
    {
        if (_begun)
        {
            _facts = default;
            Volatile.Write(ref State, 0);
        }
    }

    public void SetFacts(in RecordFacts facts)
    {
        _facts = facts;
        WriteFacts();
    }

    public void Put(int slot, in WriteRange write)
    {
        if (slot >= _slots)
        {
            _unrecorded++;
            WriteFacts();
            return;
        }

        ulong* words = (ulong*)(_base + HeadBytes + ((long)slot * SlotBytes));
        words[0] = write.Sector;
        Volatile.Write(ref words[1], (uint)write.ByteCount | InUse);
    }

    public void Remove(int slot)
    {
        if (slot < _slots)
        {
            Volatile.Write(ref *(ulong*)(_base + HeadBytes + ((long)slot * SlotBytes) + 8), 0);
        }
        else
        {
            _unrecorded--;
            WriteFacts();
        }
    }

    /// <summary>Lets go of the mapping; the file stays for a successor.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _ = Syscall.munmap((nint)_base, _length);
        }
    }

    private void WriteFacts()
    {
        bool exact = _facts.IsExact && _unrecorded == 0;
        *(ulong*)(_base + 24) = _facts.DeviceUuid;
        Volatile.Write(ref State, ((ulong)_facts.Transaction << 32) | (exact ? 1UL : 0));
    }
}
