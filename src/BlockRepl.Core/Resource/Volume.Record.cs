using BlockRepl.Core.Bitmap;
using BlockRepl.Core.MetaData;

namespace BlockRepl.Core.Resource;

/// <summary>
/// The record of writes under way, kept by the host where it outlives this process: if the process is killed its
/// successor marks these blocks instead of whole extents. Between taking an extent and releasing it a write of the
/// application is in the record or its bit is in the bitmap on disk, or the record says that it is not exact.
/// </summary>
internal sealed partial class Volume
{
    /// <summary>The record is that of this disk, from the end of its attach on.</summary>
    private bool _recording;

    /// <summary>Bits that only the activity log covers are in memory and not yet on disk.</summary>
    private bool _unsavedMarks;

    /// <summary>The log also names extents for the peer's writes, which are not recorded.</summary>
    private bool _logsPeerWrites;
    private uint _newestTransaction;

    private void BeginRecord()
    {
        _recording = true;
        _unsavedMarks = _logsPeerWrites = false;
        _host.BeginRecord(Number);
        NoteFacts();
    }

    private void EndRecord() => _recording = false;

    private void NoteFacts()
    {
        if (_recording)
        {
            bool exact = !_unsavedMarks && !_logsPeerWrites;
            _host.RecordFacts(Number, new RecordFacts(_superBlock.DeviceUuid, _newestTransaction, exact));
        }
    }

    /// <summary>A transaction is about to be written.</summary>
    private void NoteTransaction(uint number)
    {
        _newestTransaction = number;
        NoteFacts();
    }

    private void NoteUnsavedMarks()
    {
        if (!_unsavedMarks)
        {
            _unsavedMarks = true;
            NoteFacts();
        }
    }

    private void NoteBitmapWritten()
    {
        if (_unsavedMarks && Bitmap?.NextDirtyPage(0) < 0)
        {
            _unsavedMarks = false;
            NoteFacts();
        }
    }

    private void NotePeerWrites()
    {
        if (!_logsPeerWrites)
        {
            _logsPeerWrites = true;
            NoteFacts();
        }
    }

    private void TakeExtents(Request request)
    {
        request.HeldLog = Log;
        if (_recording)
        {
            _host.RecordWrite(Number, request.Index, new WriteRange(request.Sector, request.ByteCount));
        }
    }

    /// <summary>Nothing about the write's blocks can change any more, or it never began.</summary>
    private void GiveUpExtents(Request request)
    {
        if (request.HeldLog is null)
        {
            return;
        }

        request.HeldLog.Release(request.FirstExtent, request.LastExtent);
        request.HeldLog = null;
        if (_recording)
        {
            _host.ForgetWrite(Number, request.Index);
        }
    }
}
